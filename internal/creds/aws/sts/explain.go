package sts

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
)

// class says who must act on an error, and whether to try again.
type class struct {
	side  fault.Side
	retry bool
}

// classify returns the class of an error of the SDK, by STS's error code. If the code is
// not known, the HTTP status decides. An error without an answer of STS is
// infrastructure's.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html#API_AssumeRoleWithWebIdentity_Errors
func classify(err error) class {
	var own *fault.Error
	if errors.As(err, &own) {
		return class{own.Side, false}
	}
	if errors.Is(err, httpguard.ErrPlain) {
		return class{fault.Admin, false}
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return class{fault.Infrastructure, false}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return class{fault.Infrastructure, true}
	}
	code := api.ErrorCode()
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled || strings.HasPrefix(code, "RequestTimeout") {
		return class{fault.Infrastructure, true}
	}
	switch code {
	case "IDPCommunicationError":
		return class{fault.Infrastructure, true}
	case "InvalidIdentityToken":
		// With this text AWS could not read the issuer's keys in time. Any other is final.
		if strings.Contains(api.ErrorMessage(), "retrieve verification key") {
			return class{fault.Infrastructure, true}
		}
	case "ExpiredTokenException", "ExpiredToken":
		return class{fault.Author, false}
	}
	if s := status(err); s == 429 || s >= 500 || s/100 == 3 || code == "UnknownError" {
		return class{fault.Infrastructure, s >= 429}
	}
	return class{fault.Admin, false}
}

// status returns the HTTP status of the answer in err, and 0 if there is none.
func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

// refusesDuration reports whether STS refused the duration as too long for the role.
func refusesDuration(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationError" &&
		strings.Contains(strings.ToLower(api.ErrorMessage()), "durationseconds")
}

// explain turns an error of the SDK into one that names role, error code and next step.
// It holds no other part of STS's answer: a hostile server could send back the token.
func explain(err error, r Request, g *httpguard.Guard) error {
	var own *fault.Error
	if errors.As(err, &own) {
		return own
	}
	if errors.Is(err, httpguard.ErrPlain) {
		return fault.New(fault.Admin, fmt.Errorf("the endpoint of STS, %s, is %w", g.Host(), httpguard.ErrPlain),
			"set it to an https URL, in AWS_ENDPOINT_URL_STS of the runner's service or endpoint of the policy file")
	}
	side := classify(err).side
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() != "UnknownError" {
		what := fmt.Errorf("assume role %s: STS answered %q%s", r.Role, printable(api.ErrorCode(), letters), requestID(err))
		return fault.New(side, what, nextStep(api.ErrorCode(), side, r, g))
	}
	what := fmt.Errorf("assume role %s: STS at %s, %d tries: %s%s", r.Role, g.Host(), g.Tries(), cause(err), requestID(err))
	return fault.New(fault.Infrastructure, what, "")
}

// requestID returns the id of the request at AWS, in parentheses, and "" if there is none.
func requestID(err error) string {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.ServiceRequestID() != "" {
		return fmt.Sprintf(" (request id %q)", printable(response.ServiceRequestID(), "0123456789abcdefABCDEF-"))
	}
	return ""
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
func nextStep(code string, side fault.Side, r Request, g *httpguard.Guard) string {
	switch code {
	case "AccessDenied", "AccessDeniedException":
		return "let the trust policy of the role allow this token\n" + trust(r)
	case "InvalidIdentityToken":
		if side == fault.Infrastructure {
			return fmt.Sprintf("AWS could not read the keys of the token's issuer, in %d tries\n%s", g.Tries(), claims(r))
		}
		return "the role's account needs an IAM OIDC identity provider of this issuer and audience\n" + claims(r)
	case "IDPRejectedClaim":
		return "the identity provider rejected a claim of the token\n" + claims(r)
	case "ExpiredTokenException", "ExpiredToken":
		return "the ID token has expired: it is valid for the job's timeout; run the job again"
	case "MalformedPolicyDocument":
		return "correct session_policy_file of the tenant: STS does not accept it as a session policy"
	case "PackedPolicyTooLarge":
		return "shorten session_policy_file or policy_arns of the tenant: together, packed, they are larger than STS accepts"
	case "RegionDisabledException":
		return "activate STS in that region for the role's account, or set AWS_REGION in the environment of the runner's service"
	}
	if side == fault.Infrastructure {
		return fmt.Sprintf("%d tries at %s", g.Tries(), g.Host())
	}
	return "check the role's ARN, its trust policy and its maximum session duration"
}

// claims returns the claims that a trust policy can check, one per line.
func claims(r Request) string {
	c := r.Token.Claims
	return fmt.Sprintf("  iss: %.300q\n  sub: %.300q\n  aud: %.300q", c.Issuer, c.Subject, strings.Join(c.Audience, ", "))
}

// trust returns the claims, and the condition of a trust policy that allows them. IAM
// names an issuer by its URL without the scheme.
//
// https://docs.gitlab.com/ci/cloud_services/aws/
func trust(r Request) string {
	c := r.Token.Claims
	provider := c.Issuer
	if u, err := url.Parse(c.Issuer); err == nil && u.Host != "" {
		provider = u.Host + strings.TrimSuffix(u.Path, "/")
	}
	return fmt.Sprintf("%s\n  \"Condition\": {\"StringEquals\": {%.300q: %.300q, %.300q: %.300q}}",
		claims(r), provider+":aud", strings.Join(c.Audience, ", "), provider+":sub", c.Subject)
}

// cause says why the request brought no answer of STS.
func cause(err error) string {
	if s := status(err); s != 0 {
		return cmp.Or(httpguard.Cause(err), fmt.Sprintf("the answer with HTTP status %d is not from STS", s))
	}
	return cmp.Or(httpguard.Cause(err), "the request did not go through")
}
