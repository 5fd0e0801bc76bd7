package policyfile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// sourcing is a vault of which a tenant may have sources, with a path and a list of tables.
type sourcing struct{ vault }

func (sourcing) SourceKeys() policyfile.Keys { return policyfile.Keys{"path": policyfile.Text} }

func (sourcing) Lists() map[string]policyfile.Keys {
	return map[string]policyfile.Keys{"read": {"path": policyfile.Text}}
}

func (sourcing) Source(t policyfile.Table, _ any) any { return t.Text("path") }

// ofTenant returns a policy file of a tenant with those lines, which begin in line 14.
func ofTenant(lines string) []byte { return []byte(both + "[[tenant]]\nname = \"a\"\n" + lines) }

// TestSourcers: each source has the keys and the lists of its own provider.
func TestSourcers(t *testing.T) {
	t.Parallel()
	const vaults, awss, asks = "[[tenant.source]]\nname = \"s\"\nprovider = \"vault\"\n", "[[tenant.source]]\nname = \"s\"\nprovider = \"aws\"\n", "vault_role = \"v\"\n"
	policy, err := policyfile.Compile("p", ofTenant(asks+vaults+"path = \"x\"\n[[tenant.source.read]]\npath = \"y\"\n"), grant.AWS{}, sourcing{})
	if err != nil {
		t.Fatal(err)
	}
	want := []tenant.Gift{{Provider: "vault", Settings: [2]string{"v", "1h"}}, {Provider: "vault", Name: "s", Settings: "x"}}
	if diff := cmp.Diff(want, policy.Tenants()[0].Gifts); diff != "" {
		t.Errorf("the gifts differ:\n%s", diff)
	}
	for name, test := range map[string]struct {
		lines  string
		second policyfile.Provider
		want   string
	}{
		"no sources of it":     {asks + vaults, vault{}, `17: tenant "a": source "s": provider: "vault": want one of aws`},
		"no such provider":     {asks + strings.Replace(vaults, "vault", "x", 1), sourcing{}, `17: tenant "a": source "s": provider: "x": want one of aws, vault`},
		"a key of the other":   {asks + vaults + "region = \"x\"\n", sourcing{}, `18: unknown key "region" in [[tenant.source]]`},
		"a key of the second":  {asks + awss + "path = \"x\"\n", sourcing{}, `18: unknown key "path" in [[tenant.source]]`},
		"a list of the other":  {asks + vaults + "[[tenant.source.chain]]\n", sourcing{}, `18: tenant "a": source "s": chain 1: a source of the provider vault has no such table`},
		"a list of the second": {asks + awss + "[[tenant.source.read]]\n", sourcing{}, `18: tenant "a": source "s": read 1: a source of the provider aws has no such table`},
		"a list for nothing":   {asks + "[[tenant.chain]]\n", sourcing{}, `15: tenant "a": chain 1: without role_arn of the tenant it has no effect`},
	} {
		policy, err := policyfile.Compile("p", ofTenant(test.lines), grant.AWS{}, test.second)
		if policy != nil || err == nil || !strings.HasPrefix(err.Error(), "p:"+test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestSourceKinds: a value of a wrong kind in a source is an error, and not no value.
func TestSourceKinds(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		audit + "region = 1.5\n":                       "12: region: want a text",
		audit + "region = 1979-05-27\n":                "12: region: want a text",
		audit + "region = true\n":                      "12: region: want a text",
		audit + "region = [\"x\"]\n":                   "12: region: want a text",
		audit + "region = { a = \"x\" }\n":             "12: region: want a text",
		audit + "profile = 0\n":                        "12: profile: want true or false",
		audit + "policy_arns = [1]\n":                  "12: policy_arns: want a list of texts",
		audit + hop + "tags = { a = { b = \"c\" } }\n": "14: chain 1: tags: want a table of texts",
		audit + hop + "tags = { a.b = \"c\" }\n":       "14: chain 1: tags: want a table of texts",
		audit + hop + "transitive = [[\"a\"]]\n":       "14: chain 1: transitive: want a list of texts",
	} {
		line, text, _ := strings.Cut(want, ": ")
		if got := refused(t, minimal+lines); !strings.HasPrefix(got[0], "/etc/p.toml:"+line+`: tenant "alpha": source "audit": `+text) {
			t.Errorf("%q:\n got %q\nwant %q", lines, got, want)
		}
	}
}
