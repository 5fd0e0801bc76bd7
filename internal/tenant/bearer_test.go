package tenant_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// TestBearerMessages: what a client of a broker reads speaks of a broker, and of no variable that
// is the driver's.
func TestBearerMessages(t *testing.T) {
	t.Parallel()
	policy := compile(t, `shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[defaults]
role_arn = "arn:aws:iam::111122223333:role/a"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
[[tenant]]
name = "alpha"
[[tenant]]
name = "beta"
`)
	subject := func(requested string, change func(*tenant.Claims)) tenant.Subject {
		claims := tenant.Claims{Audience: []string{"https://gitlab.example.com"}, Project: "acme/deploy", JobProject: "acme/deploy", Ref: "main", RefType: "branch"}
		change(&claims)
		return tenant.Subject{Requested: requested, Named: requested != "", Project: "acme/deploy", Tokens: map[string]tenant.Claims{"GITLAB_OIDC_TOKEN": claims}, Bearer: true}
	}
	same := func(*tenant.Claims) {}
	for name, test := range map[string]struct {
		job  tenant.Subject
		want string
	}{
		"several":           {subject("", same), "several tenants allow the job; set a tenant at the end of AWS_CONTAINER_CREDENTIALS_FULL_URI"},
		"none":              {subject("", func(c *tenant.Claims) { c.RefType = "tag" }), "no tenant of this broker allows this job; set a tenant at the end of AWS_CONTAINER_CREDENTIALS_FULL_URI to learn which rule of a tenant refuses"},
		"unknown":           {subject("gamma", same), `this broker has no tenant "gamma"; correct AWS_CONTAINER_CREDENTIALS_FULL_URI in .gitlab-ci.yml`},
		"an audience":       {subject("", func(c *tenant.Claims) { c.Audience = []string{"x"} }), `the ID token is for the audience "x"; this broker takes "https://gitlab.example.com"`},
		"a tenant's":        {subject("alpha", func(c *tenant.Claims) { c.Audience = []string{"x"} }), `tenant "alpha" refuses this job: rule audience; set aud: of the ID token under id_tokens: to https://gitlab.example.com alone`},
		"none, by audience": {subject("gamma", func(c *tenant.Claims) { c.Audience = []string{"x"} }), `this broker has no tenant "gamma"`},
	} {
		g, err := policy.Decide(test.job)
		if err == nil {
			err = g.Unserved
		}
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
			continue
		}
		text := err.Error()
		for _, row := range fault.Rows(err) {
			text += " " + row.Text
		}
		for _, foreign := range []string{"this runner", "TENANT", "GITLAB_OIDC_TOKEN", "inherit"} {
			if strings.Contains(text, foreign) {
				t.Errorf("%s: %s speaks of %s", name, text, foreign)
			}
		}
	}
}
