package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// teller is a provider whose orders say what it was told.
type teller struct{ toy }

func (p teller) Order(a admission.Asker) (creds.Order, error) {
	return creds.Order{Provider: p.name, Session: fmt.Sprintf("%s %v %s %s", a.Source, a.Settings, a.Claims.Ref, a.CredentialProgram)}, p.order
}

// TestSources: a job gets an order for each source, with its name, and the provider knows the
// claims of the token that was read.
func TestSources(t *testing.T) {
	t.Parallel()
	c := newCase(t, nil)
	c.CredentialProgram = "/p"
	c.Policy = tenant.NewPolicy(tenant.Settings{}, []tenant.Tenant{{
		Name: "alpha", IDToken: "GITLAB_OIDC_TOKEN", Audience: "https://gitlab.example.com", RefTypes: []string{"branch"}, Projects: compile(t, policy).Tenants()[0].Projects,
		Gifts: []tenant.Gift{{Provider: "a", Settings: 1}, {Provider: "a", Name: "x", Settings: 2}, {Provider: "a", Name: "y", Settings: 3}},
	}}, "")
	c.Providers = []admission.Provider{teller{toy{name: "a"}}}
	d, err := admission.Decide(c)
	want := []creds.Order{{Provider: "a", Session: " 1 one /p"}, {Provider: "a", Name: "x", Session: "x 2 one /p"}, {Provider: "a", Name: "y", Session: "y 3 one /p"}}
	if diff := cmp.Diff(want, d.Orders); err != nil || diff != "" {
		t.Errorf("error %v, the orders differ:\n%s", err, diff)
	}
}

// TestChainRefused: a claim that a chain needs and the job's token lacks refuses the job.
func TestChainRefused(t *testing.T) {
	t.Parallel()
	const chain = "[[tenant.chain]]\nrole_arn = \"arn:aws:iam::111122223333:role/b\"\ntags = { env = \"claim:environment\", ref = \"claim:ref\" }\n"
	c := newCase(t, nil)
	c.Policy = compile(t, strings.Replace(policy, "name = \"alpha\"\n", "name = \"alpha\"\n"+chain, 1))
	_, err := refused(t, "no environment", c)
	if rows := fault.Rows(err.What); err.Code != fault.Refused || len(rows) != 1 || !strings.Contains(rows[0].Text, "claim environment of the ID token, which this job's token does not have") {
		t.Errorf("%v, %+v", err, rows)
	}
}
