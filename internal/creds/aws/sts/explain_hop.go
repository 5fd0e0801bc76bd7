package sts

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
)

// explain turns an error of the SDK into one that names the hop, its role and the next step,
// as the function explain does for the first role.
func (h hop) explain(err error, tries int) error {
	if own, ok := errors.AsType[*fault.Error](err); ok {
		return own
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == "UnknownError" {
		return h.noAnswer(cause(err), tries).traced(err)
	}
	word := printable(api.ErrorCode(), letters)
	code := classify(err).code
	if code == fault.ForeignToken { // it is about our session, and not about the ID token
		code = fault.Clock
	}
	switch code {
	case fault.NoAnswer:
		return h.noAnswer(fmt.Sprintf("STS answered %q", word), tries).traced(err)
	case fault.AccessDenied:
		return h.denied(word).traced(err)
	case fault.Clock:
		return h.row(fault.New(code, fmt.Errorf("STS refuses the time of a request (%q)", word), "check NTP on the runner's host")).traced(err)
	default:
		return h.row(fault.New(code, fmt.Errorf("AWS refuses the request for a role of the chain (%q)", word), h.nextStep(api))).traced(err)
	}
}

// role returns the role of the hop.
func (h hop) role() aws.Role { return h.request.Chain[h.index].Role }

// before returns the role whose session makes the call.
func (h hop) before() aws.Role {
	if h.index == 0 {
		return h.request.Role
	}
	return h.request.Chain[h.index-1].Role
}

// row adds to an error which role of the chain it is about.
func (h hop) row(err *fault.Error) finding {
	return finding{err.With("role", h.role().String()).
		With("chain", fmt.Sprintf("role %d of %d, assumed with a session of\n%s", h.index+2, len(h.request.Chain)+1, h.before()))}
}

// noAnswer returns the error that STS did not answer as it should.
func (h hop) noAnswer(why string, tries int) finding {
	return h.row(fault.New(fault.NoAnswer, fmt.Errorf("no credentials: STS at %s, %d tries: %s", h.guard.Host(), tries, why),
		"look at the network, the proxy and the CA of the runner's host if it lasts"))
}

// denied returns the error that the role may not be assumed by the one before it. AWS gives
// the same answer where the role does not exist.
func (h hop) denied(word string) finding {
	role := h.request.Chain[h.index]
	next := "the role must exist, and its trust policy must have this statement; the role before it must be allowed the same actions:\n" + statement(role, h.before())
	return h.row(fault.New(fault.AccessDenied, fmt.Errorf("AWS refuses a role of the chain to the role before it (%q)", word), next).
		With("who acts", "the owner of the AWS account "+role.Role.Account+" (not the pipeline)"))
}

// statement returns the statement of a trust policy that lets a session of the role before
// assume the role of a hop.
func statement(h aws.Hop, before aws.Role) string {
	text := fmt.Sprintf("{ \"Effect\": \"Allow\",\n  \"Principal\": { \"AWS\": %q },\n  \"Action\": [%s]", before.String(), quoted(h.Actions()))
	if h.ExternalID != "" {
		id, _ := json.Marshal(h.ExternalID) // cannot fail: a text can always be encoded
		text += fmt.Sprintf(",\n  \"Condition\": { \"StringEquals\": { \"sts:ExternalId\": %s } }", id)
	}
	return text + " }"
}

// quoted returns texts as the elements of a list of JSON.
func quoted(texts []string) string { return `"` + strings.Join(texts, `", "`) + `"` }

// nextStep returns what to do about an error of a hop.
func (h hop) nextStep(api smithy.APIError) string {
	switch code := api.ErrorCode(); code {
	case "MalformedPolicyDocument", "RegionDisabledException":
		return nextStep(code)
	case "PackedPolicyTooLarge":
		return "shorten session_policy_file, policy_arns or the tags of the role: together, packed, they are larger than STS accepts"
	}
	return "check the role's ARN, and in the policy file its external_id, tags and source_identity"
}
