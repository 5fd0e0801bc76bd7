package tenant_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

func TestParseNameAccepts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a", "0", "_", "alpha", "team-1_x", "_-", "a-", strings.Repeat("z", 63)} {
		got, err := tenant.ParseName(text)
		if err != nil || string(got) != text {
			t.Errorf("ParseName(%q) = %q, %v, want the name", text, got, err)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	t.Parallel()
	const rule = "want 1 to 63 of a-z, 0-9, - and _, not starting with -"
	for _, text := range []string{
		"", "-", "-a", "--tenant", ".", "..", "../x", "a/b", "/", "a b", " a", "a ", "A", "Ä", "a.b",
		"$(id)", "`id`", "a;b", "a\n", "\na", "a\x00", "a\x00b", "%s", "*", "a\u200b", "ａ", "\xff",
		strings.Repeat("a", 64), strings.Repeat("a", 300), strings.Repeat("\n", 300),
	} {
		got, err := tenant.ParseName(text)
		if err == nil || got != tenant.None {
			t.Errorf("ParseName(%.40q) = %q, %v, want none and an error", text, got, err)
			continue
		}
		if !strings.Contains(err.Error(), rule) {
			t.Errorf("ParseName(%.40q): %q does not say %q", text, err, rule)
		}
		// The error stands on one line of a job log.
		if strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 500 {
			t.Errorf("ParseName(%.40q): the error is no short line: %q", text, err)
		}
	}
}

func TestDecideGrants(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/deploy"
	grant := func(name tenant.Name, region string) tenant.Grant {
		return tenant.Grant{Tenant: name, RoleARN: role, IDToken: "GITLAB_OIDC_TOKEN", Region: region}
	}
	for name, test := range map[string]struct {
		pinned  tenant.Name
		request tenant.Request
		want    tenant.Grant
	}{
		"nothing asked":                {"", tenant.Request{}, tenant.Grant{}},
		"a role without a tenant":      {"", tenant.Request{RoleARN: role, Region: "eu-west-1"}, tenant.Grant{}},
		"a tenant":                     {"", tenant.Request{Tenant: "alpha", RoleARN: role}, grant("alpha", "")},
		"a tenant and a region":        {"", tenant.Request{"alpha", role, "us-gov-west-1"}, grant("alpha", "us-gov-west-1")},
		"the longest region":           {"", tenant.Request{"alpha", role, strings.Repeat("x", 32)}, grant("alpha", strings.Repeat("x", 32))},
		"pinned, nothing asked":        {"beta", tenant.Request{RoleARN: role}, grant("beta", "")},
		"pinned, the same asked":       {"beta", tenant.Request{Tenant: "beta", RoleARN: role}, grant("beta", "")},
		"the role is judged by others": {"", tenant.Request{Tenant: "a", RoleARN: "x"}, tenant.Grant{Tenant: "a", RoleARN: "x", IDToken: "GITLAB_OIDC_TOKEN"}},
	} {
		got, err := tenant.ZeroConfig{Pinned: test.pinned}.Decide(test.request)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, grant differs:\n%s", name, err, diff)
		}
	}
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	const role = "arn:aws:iam::111122223333:role/deploy"
	for name, test := range map[string]struct {
		pinned  tenant.Name
		request tenant.Request
		want    []string
	}{
		"bad name":            {"", tenant.Request{"../x", role, ""}, []string{`"../x"`, "variable TENANT", "correct TENANT in .gitlab-ci.yml"}},
		"shell in the name":   {"", tenant.Request{"$(id)", role, ""}, []string{`"$(id)"`, "TENANT"}},
		"300 letters":         {"", tenant.Request{strings.Repeat("a", 300), role, ""}, []string{"aaa", "…", "TENANT"}},
		"no role":             {"", tenant.Request{"alpha", "", ""}, []string{`tenant "alpha"`, "no variable ROLE_ARN", "set ROLE_ARN"}},
		"pinned without role": {"beta", tenant.Request{}, []string{`tenant "beta"`, "ROLE_ARN"}},
		"another tenant":      {"beta", tenant.Request{"alpha", role, ""}, []string{`"alpha"`, `"beta" only`, "choose a runner"}},
		"prefix of the pin":   {"beta", tenant.Request{"bet", role, ""}, []string{`"bet"`, `"beta" only`}},
		"pinned, a bad name":  {"beta", tenant.Request{"../beta", role, ""}, []string{`"../beta"`, `"beta" only`}},
		"region with a line":  {"", tenant.Request{"alpha", role, "eu-1\nX=1"}, []string{`"eu-1\nX=1"`, "no AWS region", "AWS_REGION"}},
		"region in capitals":  {"", tenant.Request{"alpha", role, "EU-WEST-1"}, []string{`"EU-WEST-1"`, "no AWS region"}},
		"region as a host":    {"", tenant.Request{"alpha", role, "x.evil.example/"}, []string{`"x.evil.example/"`, "no AWS region"}},
		"region of 33":        {"", tenant.Request{"alpha", role, strings.Repeat("x", 33)}, []string{"no AWS region"}},
	} {
		got, err := tenant.ZeroConfig{Pinned: test.pinned}.Decide(test.request)
		if err == nil || !cmp.Equal(got, tenant.Grant{}) {
			t.Errorf("%s: got %+v, %v, want no grant and an error", name, got, err)
			continue
		}
		if side := fault.SideOf(err); side != fault.Author {
			t.Errorf("%s: the error is one of %s, want the author's", name, side)
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
	}
}
