package trust_test

import (
	"testing"

	iam "rolecall/test/cloud/trust"
	"rolecall/test/kit"
)

// readIAM returns a trust policy as IAM reads it.
func readIAM(t *testing.T, document []byte) iam.Policy {
	t.Helper()
	policy, err := iam.Parse(string(document))
	kit.Must(t, err)
	return policy
}

// allows reports whether a token of the identity provider of an account with these claims may
// assume the role. A claim without a condition is a hole: then nothing is allowed.
func allows(p iam.Policy, account, aud, sub string) bool {
	request := iam.Request{Provider: "arn:aws:iam::" + account + ":oidc-provider/" + host, Actions: []string{"sts:AssumeRoleWithWebIdentity"}}
	judge := func(claims map[string][]string) bool {
		request.Keys = claims
		return p.Allows(request)
	}
	audience, subject := []string{aud}, []string{sub}
	return judge(map[string][]string{host + ":aud": audience, host + ":sub": subject}) &&
		!judge(map[string][]string{host + ":aud": audience}) && !judge(map[string][]string{host + ":sub": subject})
}
