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
	for name, test := range map[string]struct {
		rules     tenant.ZeroConfig
		requested string
		named     bool
		want      tenant.Name
		unserved  string
	}{
		"nothing asked":                {},
		"a tenant":                     {tenant.ZeroConfig{Token: true}, "alpha", true, "alpha", ""},
		"a tenant, no token yet":       {tenant.ZeroConfig{}, "alpha", true, "alpha", ""},
		"pinned, nothing asked":        {tenant.ZeroConfig{Pinned: "beta", Token: true}, "", false, "beta", ""},
		"pinned, the same asked":       {tenant.ZeroConfig{Pinned: "beta"}, "beta", true, "beta", ""},
		"the folder of no tenant":      {tenant.ZeroConfig{}, "none", true, "none", ""},
		"an empty TENANT":              {tenant.ZeroConfig{Token: true}, "", true, "", "the job's variable TENANT is empty"},
		"pinned, an empty TENANT":      {tenant.ZeroConfig{Pinned: "beta", Token: true}, "", true, "", "the job's variable TENANT is empty"},
		"no name, no token":            {tenant.ZeroConfig{}, "contoso.onmicrosoft.com", true, "", `TENANT is no name of a tenant: "contoso.onmicrosoft.com"`},
		"pinned, no name and no token": {tenant.ZeroConfig{Pinned: "beta"}, "../beta", true, "", `TENANT is no name of a tenant: "../beta"`},
	} {
		got, err := test.rules.Decide(test.requested, test.named)
		if err != nil || got.Tenant != test.want || (got.IDToken == "GITLAB_OIDC_TOKEN") != (test.want != "") || got.Gifts != nil {
			t.Errorf("%s: %+v, %v, want tenant %q", name, got, err, test.want)
		}
		checkUnserved(t, name, got, test.unserved)
	}
}

// checkUnserved holds that a job without a tenant is told why, on the author's side; with
// an empty text nothing is told.
func checkUnserved(t *testing.T, name string, got tenant.Grant, want string) {
	t.Helper()
	switch {
	case want == "" && got.Unserved != nil:
		t.Errorf("%s: the job is told %v", name, got.Unserved)
	case want == "":
	case got.Unserved == nil || !strings.HasPrefix(got.Unserved.Error(), want) || fault.SideOf(got.Unserved) != fault.Author:
		t.Errorf("%s: the job is told %v, want %q", name, got.Unserved, want)
	case got.Tenant != tenant.None || got.Gifts != nil:
		t.Errorf("%s: the job is told %v, and gets %+v", name, got.Unserved, got)
	}
}

func TestDecideRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pinned    tenant.Name
		requested string
		want      []string
	}{
		"bad name":           {"", "../x", []string{`"../x"`, "TENANT is no name", "correct TENANT in .gitlab-ci.yml"}},
		"shell in the name":  {"", "$(id)", []string{`"$(id)"`, "TENANT"}},
		"300 letters":        {"", strings.Repeat("a", 300), []string{"aaa", "…", "TENANT"}},
		"another tenant":     {"beta", "alpha", []string{`"alpha"`, `"beta" only`, "choose a runner"}},
		"prefix of the pin":  {"beta", "bet", []string{`"bet"`, `"beta" only`}},
		"pinned, a bad name": {"beta", "../beta", []string{`"../beta"`, `"beta" only`}},
	} {
		got, err := tenant.ZeroConfig{Pinned: test.pinned, Token: true}.Decide(test.requested, true)
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

func TestFind(t *testing.T) {
	t.Parallel()
	given := []tenant.Gift{{Provider: "a", Settings: 1}, {Provider: "b"}, {Provider: "a", Settings: 2}}
	for provider, want := range map[string]any{"a": 1, "b": nil, "c": nil, "": nil} {
		if got := tenant.Find(given, provider); got != want {
			t.Errorf("Find(%q) = %v, want %v", provider, got, want)
		}
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	for want, grant := range map[string]tenant.Grant{
		"none/unprotected":  {},
		"none/protected":    {Protected: true},
		"alpha/unprotected": {Tenant: "alpha"},
		"alpha/protected":   {Tenant: "alpha", Protected: true},
	} {
		if got := grant.Folder(); got != want {
			t.Errorf("Folder() = %s, want %s", got, want)
		}
	}
}
