package admission_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// bearerCase returns the case of a client that asks for a source of alpha, which has a and two
// sources of a, and nothing of b itself.
func bearerCase(t *testing.T, provider, source string) admission.Case {
	t.Helper()
	c := newCase(t, nil)
	c.WorkDir = ""
	c.Policy = tenant.NewPolicy(tenant.Settings{}, []tenant.Tenant{{
		Name: "alpha", IDToken: "GITLAB_OIDC_TOKEN", Audience: "https://gitlab.example.com", RefTypes: []string{"branch"}, Projects: compile(t, policy).Tenants()[0].Projects,
		Gifts: []tenant.Gift{{Provider: "a", Settings: 1}, {Provider: "a", Name: "x", Settings: 2}, {Provider: "b", Name: "y", Settings: 3}},
	}}, "")
	c.Providers = []admission.Provider{teller{toy{name: "a", winning: "OVERRIDES"}}, teller{toy{name: "b"}}}
	c.Bearer = &admission.Bearer{Provider: provider, Source: source, Now: time.Unix(10_000, 0)}
	return c
}

// TestBearer: a client gets the one credential that it asks for, of its provider, served.
func TestBearer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ provider, source, want string }{{"a", "", " 1 one "}, {"a", "x", "x 2 one "}, {"b", "y", "y 3 one "}} {
		c := bearerCase(t, test.provider, test.source)
		c.Request["OVERRIDES"] = "" // the variables of the job are not known
		d, err := admission.Decide(c)
		if err != nil || len(d.Orders) != 1 || d.Orders[0].Session != test.want || d.Orders[0].Name != test.source || d.Orders[0].Provider != test.provider {
			t.Errorf("%+v: %v, %+v", test, err, d.Orders)
		}
	}
	c := bearerCase(t, "a", "")
	c.Bearer, c.Request["OVERRIDES"] = nil, ""
	if _, err := admission.Decide(c); fault.CodeOf(err) != fault.Override {
		t.Errorf("control: a job of a runner: %v", err)
	}
}

// TestBearerRefused: what the tenant does not give is refused by the rule source.
func TestBearerRefused(t *testing.T) {
	t.Parallel()
	const next = "; correct the end of AWS_CONTAINER_CREDENTIALS_FULL_URI"
	for _, test := range []struct{ provider, source, want string }{
		{"b", "", `tenant "alpha" gives nothing of b itself` + next},
		{"a", "y", `tenant "alpha" has no source "y"` + next},
		{"b", "x", `tenant "alpha" has no source "x"` + next},
		{"c", "x", `tenant "alpha" has no source "x"` + next},
	} {
		d, err := refused(t, test.provider, bearerCase(t, test.provider, test.source))
		r, ok := errors.AsType[*tenant.Refusal](err.What)
		if err.Code != fault.Refused || err.What.Error() != test.want || !ok || r.Rule != "source" || r.Tenant != "alpha" || len(d.Orders) != 0 {
			t.Errorf("%+v: %v, %+v", test, err.What, d.Orders)
		}
	}
}

// TestMaxTokenAge: the token of a client must be younger than its tenant says; that of a job of a
// runner need not.
func TestMaxTokenAge(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		iat    int64
		bearer bool
		want   string
	}{
		"young enough":       {9_941, true, ""},
		"just too old":       {9_940, true, "was issued at 1970-01-01T02:45:40Z, and is good for 1m0s; run the job again; if its work takes longer, ask the admin to raise max_token_age"},
		"no iat":             {0, true, "has no claim iat, and is good for 1m0s"},
		"issued a bit later": {10_030, true, ""},
		"of a runner":        {1, false, ""},
	} {
		c := bearerCase(t, "a", "")
		tenants := c.Policy.Tenants()
		tenants[0].MaxTokenAge = time.Minute
		c.Policy = tenant.NewPolicy(tenant.Settings{}, tenants, "")
		c.Read = func(raw string) (idtoken.Token, error) {
			token, err := read(raw)
			token.Claims.IssuedAt = test.iat
			return token, err
		}
		if !test.bearer {
			c.Bearer = nil
		}
		_, err := admission.Decide(c)
		if (err == nil) != (test.want == "") || err != nil && (!strings.HasPrefix(err.Error(), `tenant "alpha" refuses this job: rule max_token_age: the ID token `+test.want) || fault.CodeOf(err) != fault.Refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBearerToken: a message about the token of a client does not name the variable that the policy
// file has for it.
func TestBearerToken(t *testing.T) {
	t.Parallel()
	c := bearerCase(t, "a", "")
	c.Request = job.Request{"GITLAB_OIDC_TOKEN": "another job's"}
	_, err := refused(t, "another job's", c)
	if err.Code != fault.ForeignToken || !strings.HasPrefix(err.What.Error(), "this is not an ID token of this job: ") {
		t.Errorf("%v", err.What)
	}
}
