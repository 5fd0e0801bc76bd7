package sts_test

import (
	"net/http"
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/test/fakests"
)

// The claims as an error shows them to whoever writes the trust policy.
const (
	claimLines = "sub  project_path:g/p:ref_type:branch:ref:main\naud  https://aws.example.com\niss  https://gitlab.example.com"
	condition  = "\"StringEquals\": {\n  \"gitlab.example.com:aud\": \"https://aws.example.com\",\n  \"gitlab.example.com:sub\": \"project_path:g/p:ref_type:branch:ref:main\" }"
)

// TestRefusals: each error of STS has its side and its number of requests, and names
// the role, the code, the request id and the next step.
func TestRefusals(t *testing.T) {
	t.Parallel()
	const requestID = "AWS request id 01234567-89ab-cdef-0123-456789abcdef"
	for _, test := range []struct {
		status        int
		code, message string
		side          fault.Side
		requests      int
		want          []string
	}{
		{403, "AccessDenied", "Not authorized", fault.Account, 1, []string{claimLines, condition, "the role must exist", "who acts: the owner of the AWS account 111122223333"}},
		{400, "InvalidIdentityToken", "Couldn't retrieve verification key", fault.Infrastructure, 3, []string{"could not read the keys of the token's issuer", "3 tries", claimLines}},
		{400, "InvalidIdentityToken", "No OpenIDConnect provider found", fault.Account, 1, []string{"create an IAM OIDC identity provider", claimLines}},
		{400, "InvalidIdentityToken", "Incorrect token audience", fault.Account, 1, []string{"add the aud of the job to the audiences", claimLines}},
		{400, "ExpiredTokenException", "Token expired", fault.Author, 1, []string{"the ID token has expired", "run the job again"}},
		{400, "ExpiredToken", "Token expired", fault.Author, 1, []string{"the ID token has expired"}},
		{400, "IDPCommunicationError", "", fault.Infrastructure, 3, []string{"STS at 127.0.0.1", "3 tries"}},
		{403, "IDPRejectedClaim", "", fault.Account, 1, []string{"rejects a claim of the token", claimLines}},
		{400, "MalformedPolicyDocument", "", fault.Admin, 1, []string{"correct session_policy_file"}},
		{400, "PackedPolicyTooLarge", "", fault.Admin, 1, []string{"shorten session_policy_file or policy_arns"}},
		{403, "RegionDisabledException", "", fault.Account, 1, []string{"activate STS in that region", "AWS_REGION"}},
		{400, "ValidationError", "Request ARN is invalid", fault.Account, 1, []string{"check the role's ARN"}},
		{400, "SomethingNew", "", fault.Account, 1, []string{"check the role's ARN"}},
		{400, "Throttling", "", fault.Infrastructure, 3, []string{"STS at 127.0.0.1", "3 tries"}},
		{400, "RequestLimitExceeded", "", fault.Infrastructure, 3, nil},
		{400, "RequestTimeoutException", "", fault.Infrastructure, 3, nil},
		{429, "SomethingNew", "", fault.Infrastructure, 3, nil},
		{500, "InternalFailure", "", fault.Infrastructure, 3, nil},
		{503, "ServiceUnavailable", "", fault.Infrastructure, 3, nil},
	} {
		t.Run(test.code+" "+strings.ReplaceAll(test.message, "'", ""), func(t *testing.T) {
			t.Parallel()
			c := newCall(t, fakests.Error(test.status, test.code, test.message+" "+leak+" "+rawToken))
			c.refused(t, test.side, test.requests, append(test.want, "role: "+role, "\""+test.code+"\"", requestID, "answer: "+test.code+" 01234567-")...)
		})
	}
}

// TestByJob: where the job has chosen the role, its author may have to act.
func TestByJob(t *testing.T) {
	t.Parallel()
	for _, answer := range []struct {
		code, next string
	}{{"AccessDenied", "correct ROLE_ARN if it names another role"}, {"InvalidIdentityToken", "the account's IAM OIDC identity provider"}} {
		c := newCall(t, fakests.Error(403, answer.code, "x"))
		c.request.ByJob = true
		c.refused(t, fault.Account, 1, "who acts: the author of the pipeline, who has chosen the role, or the owner of the AWS account 111122223333", answer.next)
	}
}

// TestTokenAsCode: a server may send the token back as an error code.
func TestTokenAsCode(t *testing.T) {
	t.Parallel()
	newCall(t, fakests.Error(http.StatusForbidden, rawToken, "")).refused(t, fault.Account, 1, role, "answer: (not printable) ")
}

// TestHostileCode: an error code cannot add lines or other text to the error.
func TestHostileCode(t *testing.T) {
	t.Parallel()
	c := newCall(t, fakests.Error(http.StatusForbidden, "x\n\x1b[31mrolecall: info: all is well", ""))
	_, err := c.assume(t)
	if err == nil || strings.ContainsAny(err.Error(), "\x1b\x00") || strings.Contains(err.Error(), "\nrolecall") {
		t.Errorf("error %q, want one that cannot forge a line", err)
	}
}
