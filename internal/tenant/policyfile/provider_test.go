package policyfile_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// vault is a second provider of credentials. Its settings are a role and an address.
type vault struct{}

func (vault) Name() string { return "vault" }
func (vault) Asks() string { return "vault_role" }

func (vault) Keys() policyfile.Keys {
	return policyfile.Keys{"vault_role": policyfile.Text, "vault_ttl": policyfile.Text}
}

func (vault) Tables() map[string]policyfile.Keys {
	return map[string]policyfile.Keys{"vault": {"address": policyfile.Text}}
}

func (vault) Server(table func(name string) policyfile.Table) any {
	var address string
	policyfile.Set(table("vault"), "address", policyfile.ReadServer, &address)
	return address
}

func (vault) Apply(t policyfile.Table, settings any) any {
	s, _ := settings.([2]string)
	asIs := func(text string) (string, error) { return text, nil }
	policyfile.Set(t, "vault_role", asIs, &s[0])
	policyfile.Set(t, "vault_ttl", asIs, &s[1])
	return s
}

func (vault) Check(t policyfile.Table, settings any) {
	if s, _ := settings.([2]string); s[0] == "root" {
		t.Fail("vault_role", errors.New("root is nobody's"))
	}
}

// both is a policy file of both providers, up to its tenants.
const both = `shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[vault]
address = "https://vault.example.com"
[sts]
proxy = "http://p"
[defaults]
audience = "aud"
projects = ["acme/x"]
vault_ttl = "1h"
`

// TestTwoProviders: a tenant gives what it asks for, of one provider or of both.
func TestTwoProviders(t *testing.T) {
	t.Parallel()
	const role = "role_arn = \"arn:aws:iam::111122223333:role/a\"\n"
	ofAWS := tenant.Gift{Provider: "aws", Settings: grant.Settings{Role: aws.Role{Partition: "aws", Account: "111122223333", Path: "a"}}}
	ofVault := func(role, ttl string) tenant.Gift {
		return tenant.Gift{Provider: "vault", Settings: [2]string{role, ttl}}
	}
	for name, test := range map[string]struct {
		defaults, own string
		want          []tenant.Gift
	}{
		"the first":              {"", role, []tenant.Gift{ofAWS}},
		"the second":             {"", "vault_role = \"v\"\n", []tenant.Gift{ofVault("v", "1h")}},
		"both":                   {"", "vault_role = \"v\"\nvault_ttl = \"2h\"\n" + role, []tenant.Gift{ofAWS, ofVault("v", "2h")}},
		"both, one by default":   {role, "vault_role = \"v\"\n", []tenant.Gift{ofAWS, ofVault("v", "1h")}},
		"both, by default":       {role + "vault_role = \"d\"\n", "", []tenant.Gift{ofAWS, ofVault("d", "1h")}},
		"the second, by default": {"vault_role = \"d\"\n", "", []tenant.Gift{ofVault("d", "1h")}},
	} {
		text := both + test.defaults + "[[tenant]]\nname = \"a\"\n" + test.own
		policy, err := policyfile.Compile("p", []byte(text), grant.AWS{}, vault{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(test.want, policy.Tenants()[0].Gifts); diff != "" {
			t.Errorf("%s: the gifts differ:\n%s", name, diff)
		}
		servers := []tenant.Gift{{Provider: "aws", Settings: grant.Server{Proxy: "http://p"}}, {Provider: "vault", Settings: "https://vault.example.com"}}
		if diff := cmp.Diff(servers, policy.Settings().Servers); diff != "" {
			t.Errorf("%s: the servers differ:\n%s", name, diff)
		}
	}
}

func TestTwoProvidersRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		own       string
		providers []policyfile.Provider
		want      string
	}{
		"asks for none":          {"region = \"x\"\n", []policyfile.Provider{grant.AWS{}, vault{}}, `12: tenant "a": role_arn: it is missing`},
		"the first is wrong":     {"region = \"x\"\nvault_role = \"root\"\n", []policyfile.Provider{vault{}, grant.AWS{}}, `15: tenant "a": vault_role: root is nobody's`},
		"the second is wrong":    {"role_arn = \"arn:aws:iam::111122223333:role/a\"\nvault_role = \"root\"\n", []policyfile.Provider{grant.AWS{}, vault{}}, `15: tenant "a": vault_role: root is nobody's`},
		"the second's server":    {"vault_role = \"v\"\n[vault]\n", []policyfile.Provider{grant.AWS{}, vault{}}, `15: table vault already exists`},
		"without the second":     {"vault_role = \"v\"\n", []policyfile.Provider{grant.AWS{}}, `4: unknown table "vault"; known are gitlab, sts, gate, containers, handover, defaults and tenant`},
		"an unknown table, both": {"vault_role = \"v\"\n[x]\n", []policyfile.Provider{grant.AWS{}, vault{}}, `15: unknown table "x"; known are gitlab, sts, vault, gate, containers, handover, defaults and tenant`},
	} {
		_, err := policyfile.Compile("p", []byte(both+"[[tenant]]\nname = \"a\"\n"+test.own), test.providers...)
		if err == nil || !strings.HasPrefix(err.Error(), "p:"+test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestNoProvider: without a provider a policy says who jobs are, and gives nothing.
func TestNoProvider(t *testing.T) {
	t.Parallel()
	text := strings.Replace(minimal, "role_arn = \"arn:aws:iam::111122223333:role/a\"\n", "", 1)
	policy, err := policyfile.Compile("p", []byte(text))
	if err != nil || len(policy.Tenants()[0].Gifts) != 0 || policy.Settings().Servers != nil {
		t.Errorf("%s, %v", fmt.Sprint(policy), err)
	}
}
