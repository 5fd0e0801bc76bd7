package aws_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// TestKeysOf: the keys come back of each form of a credential, and of nothing else.
func TestKeysOf(t *testing.T) {
	t.Parallel()
	want := aws.Keys{AccessKeyID: mask.NewSecret(goodID), SecretAccessKey: mask.NewSecret(goodSecret), SessionToken: mask.NewSecret(goodToken), Expires: expires}
	for _, s := range []aws.Session{{Region: "eu-central-1"}, {Region: "eu-central-1", Endpoint: true}, {Region: "eu-central-1", Source: "audit"}} {
		c, err := aws.NewCredential(want, s)
		kit.Must(t, err)
		got, err := aws.KeysOf(c)
		if all := got.AccessKeyID.Reveal() + got.SecretAccessKey.Reveal() + got.SessionToken.Reveal(); err != nil || all != goodID+goodSecret+goodToken || got.Expires != expires {
			t.Errorf("%+v: other keys, %v", s, err)
		}
	}
	served := func(answer string) creds.Credential {
		return creds.Credential{Provider: aws.Name, Served: &creds.Served{Answer: mask.NewSecret(answer)}}
	}
	for name, c := range map[string]creds.Credential{
		"nothing": {}, "none of AWS": {Provider: "vault"}, "no keys": {Provider: aws.Name},
		"no JSON": served(goodSecret), "JSON without keys": served("{}"),
	} {
		k, err := aws.KeysOf(c)
		if err == nil || strings.Contains(err.Error(), goodSecret) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(aws.Keys{}, k, cmp.AllowUnexported(mask.Secret{})); diff != "" {
			t.Errorf("%s gives keys", name)
		}
	}
}
