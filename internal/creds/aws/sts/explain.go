package sts

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
)

// explain turns an error of the SDK into one that names role, error code and next step.
// It holds no other part of STS's answer: a hostile server could send back the token.
func explain(err error, r Request, g *httpguard.Guard) error {
	if own, ok := errors.AsType[*fault.Error](err); ok {
		return own
	}
	if errors.Is(err, httpguard.ErrPlain) {
		return fault.New(fault.BadServer, fmt.Errorf("the endpoint of STS, %s, is %w", g.Host(), httpguard.ErrPlain),
			"set it to an https URL, in AWS_ENDPOINT_URL_STS of the runner's service or endpoint of the policy file")
	}
	code := classify(err).code
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == "UnknownError" {
		return noAnswer(r, g, cause(err)).traced(err)
	}
	word := printable(api.ErrorCode(), letters)
	switch code {
	case fault.NoAnswer:
		return unable(r, g, api).traced(err)
	case fault.AccessDenied:
		return denied(r, word).traced(err)
	case fault.TokenRejected:
		return rejected(r, api).traced(err)
	}
	return finding{fault.New(code, fmt.Errorf("AWS refuses the request for the role (%q)", word), nextStep(api.ErrorCode())).With("role", r.Role.String())}.traced(err)
}

// finding is an error about a request of STS.
type finding struct{ *fault.Error }

// traced returns the error with the code and the id of the request of the answer that err
// came from.
func (f finding) traced(err error) error {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		f.Answer.Request = printable(response.ServiceRequestID(), "0123456789abcdefABCDEF-")
		f.Trace = "AWS request id " + f.Answer.Request
	}
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" { // the SDK's word for an answer without a code
		f.Answer.Code = printable(api.ErrorCode(), letters)
	}
	return f.Error
}

// noAnswer returns the error that STS did not answer as it should.
func noAnswer(r Request, g *httpguard.Guard, why string) finding {
	return finding{fault.New(fault.NoAnswer, fmt.Errorf("no credentials: STS at %s, %d tries: %s", g.Host(), g.Tries(), why),
		"look at the network, the proxy and the CA of the runner's host if it lasts").With("role", r.Role.String())}
}

// unable returns the error that STS could not decide. For a token whose keys AWS could not
// read, it shows the issuer.
func unable(r Request, g *httpguard.Guard, api smithy.APIError) finding {
	f := noAnswer(r, g, fmt.Sprintf("STS answered %q", printable(api.ErrorCode(), letters)))
	if unread(api) {
		f.Next = "AWS could not read the keys of the token's issuer: look whether AWS can reach it"
		_ = f.With("this job", r.Token.Claims.Told())
	}
	return f
}

// denied returns the error that a trust policy does not allow the job. AWS gives the same
// answer where the role does not exist.
func denied(r Request, word string) finding {
	return finding{fault.New(fault.AccessDenied, fmt.Errorf("AWS refuses the role to this job (%q)", word),
		chosen(r)+"the role's trust policy must allow that sub, and the role must exist; add to its Condition:\n"+condition(r)).
		With("who acts", owner(r)).With("role", r.Role.String()).With("this job", r.Token.Claims.Told())}
}

// rejected returns the error that AWS does not accept the token. The text of the answer,
// which is not printed, says whether the account has an identity provider of the issuer.
func rejected(r Request, api smithy.APIError) finding {
	next := "the account's IAM OIDC identity provider of this issuer must exist, and its audiences must have the aud of the job"
	switch text := api.ErrorMessage(); {
	case api.ErrorCode() == "IDPRejectedClaim":
		next = "the identity provider rejects a claim of the token: look at its settings in IAM"
	case strings.Contains(text, "No OpenIDConnect provider"):
		next = "create an IAM OIDC identity provider in that account, of this issuer and with this audience"
	case strings.Contains(text, "audience"):
		next = "add the aud of the job to the audiences of the account's identity provider of this issuer, or set aud: of the job to one of them"
	}
	return finding{fault.New(fault.TokenRejected, fmt.Errorf("AWS does not accept the ID token of this job (%q)", printable(api.ErrorCode(), letters)), next).
		With("who acts", owner(r)).With("role", r.Role.String()).With("this job", r.Token.Claims.Told())}
}

// owner returns who can change the role, or has chosen it.
func owner(r Request) string {
	if r.ByJob {
		return "the author of the pipeline, who has chosen the role, or the owner of the AWS account " + r.Role.Account
	}
	return "the owner of the AWS account " + r.Role.Account + " (not the pipeline)"
}

// chosen returns what an author can do who has chosen the role.
func chosen(r Request) string {
	if !r.ByJob {
		return ""
	}
	return "correct ROLE_ARN if it names another role than is meant; "
}

// letters has the characters of error codes.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// printable returns word, a part of STS's answer, if it is short and has only letters.
// A server that is not STS could send back the token in it.
func printable(word, letters string) string {
	if len(word) > 64 || strings.Trim(word, letters) != "" {
		return "(not printable)"
	}
	return word
}

// nextStep returns what to do about an error code of STS.
func nextStep(code string) string {
	switch code {
	case "ExpiredTokenException", "ExpiredToken":
		return "the ID token has expired: it is valid for the job's timeout; run the job again"
	case "MalformedPolicyDocument":
		return "correct session_policy_file of the tenant: STS does not accept it as a session policy"
	case "PackedPolicyTooLarge":
		return "shorten session_policy_file or policy_arns of the tenant: together, packed, they are larger than STS accepts"
	case "RegionDisabledException":
		return "activate STS in that region for the role's account; or let the runner's admin set AWS_REGION in the environment of the runner's service"
	}
	return "check the role's ARN, its trust policy and its maximum session duration"
}

// condition returns the condition of a trust policy that allows the claims. IAM names an
// issuer by its URL without the scheme.
//
// https://docs.gitlab.com/ci/cloud_services/aws/
func condition(r Request) string {
	c := r.Token.Claims
	provider := c.Issuer
	if u, err := url.Parse(c.Issuer); err == nil && u.Host != "" {
		provider = u.Host + strings.TrimSuffix(u.Path, "/")
	}
	return fmt.Sprintf("\"StringEquals\": {\n  %.300q: %s,\n  %.300q: %.300q }", provider+":aud", audiences(c.Audience), provider+":sub", c.Subject)
}

// audiences returns the audiences of a token as a value of a condition.
func audiences(all []string) string {
	var value any = all
	if len(all) == 1 {
		value = all[0]
	}
	text, err := json.Marshal(value)
	if err != nil || len(text) > 300 {
		return `"..."`
	}
	return string(text)
}

// cause says why the request brought no answer of STS.
func cause(err error) string {
	if s := status(err); s != 0 {
		return cmp.Or(httpguard.Cause(err), fmt.Sprintf("the answer with HTTP status %d is not from STS", s))
	}
	return cmp.Or(httpguard.Cause(err), "the request did not go through")
}
