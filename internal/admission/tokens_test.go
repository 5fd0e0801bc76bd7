package admission_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/tenant"
)

// newSourceCase returns the case of a job whose tenant has a source with an ID token of its own.
func newSourceCase(t *testing.T, request job.Request) admission.Case {
	t.Helper()
	c := newCase(t, request)
	c.Policy = tenant.NewPolicy(tenant.Settings{}, []tenant.Tenant{{
		Name: "alpha", IDToken: "GITLAB_OIDC_TOKEN", Audience: "https://gitlab.example.com", RefTypes: []string{"branch"}, Projects: compile(t, policy).Tenants()[0].Projects,
		Gifts: []tenant.Gift{{Provider: "a", Settings: 1}, {Provider: "a", Name: "db", Settings: 2, IDToken: "VAULT_ID_TOKEN", Audience: "https://vault"}},
	}}, "")
	c.Providers = []admission.Provider{teller{toy{name: "a"}}}
	tenants := c.Read
	c.Read = func(raw string) (idtoken.Token, error) {
		name, audience, ok := strings.Cut(raw, " for ")
		if !ok {
			return tenants(raw)
		}
		return idtoken.Token{Raw: mask.NewSecret(raw), Claims: idtoken.Claims{Audience: []string{audience}, JobID: idtoken.ID(name), ProjectID: "42", Ref: "own"}}, nil
	}
	return c
}

// TestSourceTokens: a source with an ID token of its own is paid for by that, which must be of
// this very job and for the audience of the source.
func TestSourceTokens(t *testing.T) {
	t.Parallel()
	d, err := admission.Decide(newSourceCase(t, job.Request{"VAULT_ID_TOKEN": "7 for https://vault"}))
	if err != nil || len(d.Orders) != 2 || d.Orders[0].IDToken != "" || d.Orders[1].IDToken != "VAULT_ID_TOKEN" || !strings.HasPrefix(d.Orders[1].Session, "db 2 own") || d.Tokens["VAULT_ID_TOKEN"].Claims.Ref != "own" {
		t.Errorf("%+v, %v", d.Orders, err)
	}
	if d.Claims.Ref == "own" {
		t.Error("the job is described by the token of a source")
	}
	for name, test := range map[string]struct {
		token string
		code  fault.Code
		want  string
	}{
		"none":             {"", fault.NoToken, `source "db": tenant "alpha": the job has no ID token in VAULT_ID_TOKEN`},
		"of another job":   {"8 for https://vault", fault.ForeignToken, `source "db": VAULT_ID_TOKEN is not an ID token of this job`},
		"another audience": {"7 for https://gitlab.example.com", fault.Refused, `tenant "alpha" refuses this job: the ID token of source "db" is for another audience; set aud: of VAULT_ID_TOKEN under id_tokens: to https://vault`},
	} {
		d, err := refused(t, name, newSourceCase(t, job.Request{"VAULT_ID_TOKEN": test.token}))
		if err.Code != test.code || !strings.HasPrefix(err.What.Error(), test.want) || len(d.Orders) > 0 {
			t.Errorf("%s: %s %v, orders %v, want %s %q", name, err.Code, err.What, d.Orders, test.code, test.want)
		}
	}
	c := newSourceCase(t, nil)
	c.Providers = nil
	if _, err := admission.Decide(c); err != nil {
		t.Errorf("who orders nothing asks for the token of a source: %v", err)
	}
}

// TestSourceTokenOfBearer: who shows the token of the tenant gets nothing that another token pays
// for.
func TestSourceTokenOfBearer(t *testing.T) {
	t.Parallel()
	c := newSourceCase(t, job.Request{"VAULT_ID_TOKEN": "7 for https://vault"})
	c.Bearer = &admission.Bearer{Provider: "a", Source: "db", Now: time.Now()}
	if d, err := refused(t, "a bearer", c); err.Code != fault.Refused || len(d.Orders) > 0 || !strings.Contains(err.What.Error(), "can be had by jobs of the driver only") {
		t.Errorf("%v", err.What)
	}
}
