package grant_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// top is what a policy file begins with, up to the keys of [defaults].
const top = "shared_user = \"unsafe\"\n[gitlab]\nissuer = \"https://gitlab.example.com\"\n[defaults]\naudience = \"aud\"\nprojects = [\"acme/x\"]\n"

// compile compiles a policy file of AWS alone.
func compile(text string) (*tenant.Policy, error) {
	return policyfile.Compile("p", []byte(text), grant.AWS{})
}

// TestKeys: the key by which a tenant asks is one of its keys, and no key or table is
// one that policy files have without AWS.
func TestKeys(t *testing.T) {
	t.Parallel()
	keys := grant.AWS{}.Keys()
	if keys[grant.AWS{}.Asks()] != policyfile.Text || (grant.AWS{}).Name() != aws.Name {
		t.Errorf("%q is not among %v", grant.AWS{}.Asks(), keys)
	}
	lines := map[policyfile.Kind]string{policyfile.Text: `"x"`, policyfile.List: `["x"]`}
	for key, kind := range keys {
		_, err := policyfile.Compile("p", []byte(top+key+" = "+lines[kind]+"\n[[tenant]]\nname = \"a\"\n"))
		if err == nil || !strings.Contains(err.Error(), `unknown key "`+key+`"`) {
			t.Errorf("without AWS: %s: %v", key, err)
		}
		_, err = compile(top + key + " = 1\n[[tenant]]\nname = \"a\"\n")
		if want := "p:7: " + key + ": want " + string(kind); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s = 1: %v, want %q", key, err, want)
		}
	}
	for table, keys := range (grant.AWS{}).Tables() {
		if _, err := policyfile.Compile("p", []byte("["+table+"]\n")); err == nil || !strings.Contains(err.Error(), `unknown table "`+table+`"`) || len(keys) == 0 {
			t.Errorf("without AWS: [%s] with %v: %v", table, keys, err)
		}
	}
}

// TestApply: a tenant's own keys take the place of the defaults, for this tenant alone.
func TestApply(t *testing.T) {
	t.Parallel()
	policy, err := compile(top + `role_arn = "arn:aws:iam::111122223333:role/d"
region = "eu-west-1"
duration = "2h"
session_policy_file = "/d.json"
allowed_accounts = ["111122223333"]
policy_arns = ["arn:aws:iam::aws:policy/D"]
[[tenant]]
name = "before"
[[tenant]]
name = "own"
role_arn = "arn:aws:iam::444455556666:role/o"
region = ""
duration = "15m"
session_policy_file = "/o.json"
allowed_accounts = ["444455556666", "111122223333"]
policy_arns = ["arn:aws:iam::aws:policy/O"]
[[tenant]]
name = "after"
`)
	if err != nil {
		t.Fatal(err)
	}
	defaults := grant.Settings{
		Role: aws.Role{Partition: "aws", Account: "111122223333", Path: "d"}, AllowedAccounts: []string{"111122223333"}, Region: "eu-west-1",
		Duration: 2 * time.Hour, SessionPolicyFile: "/d.json", PolicyARNs: []string{"arn:aws:iam::aws:policy/D"},
	}
	own := grant.Settings{
		Role: aws.Role{Partition: "aws", Account: "444455556666", Path: "o"}, AllowedAccounts: []string{"444455556666", "111122223333"},
		Duration: 15 * time.Minute, SessionPolicyFile: "/o.json", PolicyARNs: []string{"arn:aws:iam::aws:policy/O"},
	}
	for i, want := range []grant.Settings{defaults, own, defaults} {
		got, ok := grant.Of(policy.Tenants()[i].Gifts)
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("tenant %d: %v, the settings differ:\n%s", i, ok, diff)
		}
	}
	if _, ok := grant.Of(nil); ok {
		t.Error("nothing is given, and AWS is among it")
	}
}

// TestCheck: what only the keys of a tenant and the defaults together show.
func TestCheck(t *testing.T) {
	t.Parallel()
	const defaults = top + "role_arn = \"arn:aws:iam::111122223333:role/d\"\nallowed_accounts = [\"111122223333\"]\n"
	for name, test := range map[string]struct{ text, want string }{
		"no role":                     {top, `tenant "a": role_arn: it is missing, here and in [defaults]`},
		"no role, other keys":         {top + "region = \"x\"\n", `tenant "a": role_arn: it is missing, here and in [defaults]`},
		"a role of another account":   {defaults + "END role_arn = \"arn:aws:iam::444455556666:role/x\"\n", `tenant "a": role_arn: its account "444455556666" is not among allowed_accounts`},
		"accounts without the role's": {defaults + "END allowed_accounts = [\"444455556666\"]\n", `tenant "a": role_arn: its account "111122223333" is not among allowed_accounts`},
		"policies of another":         {defaults + "policy_arns = [\"arn:aws:iam::111122223333:policy/x\"]\nEND allowed_accounts = [\"444455556666\"]\nrole_arn = \"arn:aws:iam::444455556666:role/x\"\n", `tenant "a": policy_arns: "arn:aws:iam::111122223333:policy/x" belongs neither to the role's account`},
		"a broken role, once":         {defaults + "END role_arn = \"x\"\n", `tenant "a": role_arn: "x" is not the ARN`},
	} {
		head, rest, _ := strings.Cut(test.text, "END ")
		policy, err := compile(head + "[[tenant]]\nname = \"a\"\n" + rest)
		if policy != nil || err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q alone", name, err, test.want)
		}
	}
}

// TestServerOf: the table [sts] is how STS is reached.
func TestServerOf(t *testing.T) {
	t.Parallel()
	const tenants = "role_arn = \"arn:aws:iam::111122223333:role/d\"\n[[tenant]]\nname = \"a\"\n"
	policy, err := compile(top + tenants + "[sts]\nendpoint = \"https://sts.example\"\nproxy = \"http://p\"\nca_bundle = \"/ca.pem\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := grant.ServerOf(policy.Settings()), (grant.Server{Endpoint: "https://sts.example", Proxy: "http://p", CABundle: "/ca.pem"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := grant.ServerOf(tenant.Settings{}); got != (grant.Server{}) {
		t.Errorf("without a policy file: %+v", got)
	}
}
