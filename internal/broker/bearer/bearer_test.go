package bearer_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/broker/bearer"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/tenant"
)

// TestParsePath: a path has a provider, a tenant and a source, and no other form.
func TestParsePath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bearer.Target{
		"/v1/aws":                            {Provider: "aws"},
		"/v1/aws/alpha":                      {Provider: "aws", Tenant: "alpha"},
		"/v1/aws/alpha/audit":                {Provider: "aws", Tenant: "alpha", Source: "audit"},
		"/v1/gcp/a_b-1":                      {Provider: "gcp", Tenant: "a_b-1"},
		"/v1/aws/" + strings.Repeat("a", 63): {Provider: "aws", Tenant: tenant.Name(strings.Repeat("a", 63))},
	} {
		if got, ok := bearer.ParsePath(path); !ok || got != want {
			t.Errorf("%s: %+v, %v", path, got, ok)
		}
	}
	for _, path := range []string{
		"", "/", "/v1", "/v1/", "/v2/aws", "v1/aws", "//v1/aws", "/v1//aws", "/v1/aws/", "/v1/aws//audit", "/v1/aws/alpha/", "/v1/aws/alpha/audit/", "/v1/aws/alpha/audit/x",
		"/v1/aws/..", "/v1/aws/.", "/v1/aws/../beta", "/v1/aws/%61lpha", "/v1/aws/alpha?x", "/v1/aws/alpha#x", "/v1/aws/alpha;x", "/v1/aws/Alpha", "/v1/AWS/alpha", "/v1/aws/al pha",
		"/v1/aws/alpha\x00", "/v1/aws/alpha\n", "/v1/aws/-x", "/v1/aws/ä", "/v1/aws/" + strings.Repeat("a", 64), "http://x/v1/aws/alpha", "*",
	} {
		if got, ok := bearer.ParsePath(path); ok || got != (bearer.Target{}) {
			t.Errorf("%q: %+v, %v", path, got, ok)
		}
	}
}

// claims returns the claims of a job, changed.
func claims(change func(*idtoken.Claims)) idtoken.Claims {
	c := idtoken.Claims{JobID: "7", ProjectID: "41", JobProjectID: "42", PipelineID: "9", ProjectPath: "acme/fork", JobProjectPath: "acme/deploy", RefProtected: "true", IssuedAt: 1000, Expiry: 4600}
	change(&c)
	return c
}

// policy returns the policy of two tenants with tokens of their own.
func policy() *tenant.Policy {
	return tenant.NewPolicy(tenant.Settings{}, []tenant.Tenant{{Name: "alpha", IDToken: "A"}, {Name: "beta", IDToken: "B"}}, "")
}

// TestCase: the decision rests on what the token says, and on nothing else.
func TestCase(t *testing.T) {
	t.Parallel()
	now := time.Unix(2000, 0)
	token := idtoken.Token{Raw: mask.NewSecret("raw"), Claims: claims(func(*idtoken.Claims) {})}
	for name, test := range map[string]struct {
		target  bearer.Target
		request job.Request
	}{
		"a tenant":       {bearer.Target{Provider: "aws", Tenant: "alpha", Source: "s"}, job.Request{"TENANT": "alpha", "A": "raw"}},
		"none":           {bearer.Target{Provider: "aws"}, job.Request{"A": "raw", "B": "raw"}},
		"another tenant": {bearer.Target{Provider: "aws", Tenant: "gamma"}, job.Request{"TENANT": "gamma", "A": "raw", "B": "raw"}},
	} {
		c, err := test.target.Case(policy(), token, now)
		if err != nil || !maps.Equal(c.Request, test.request) || *c.Bearer != (admission.Bearer{Provider: "aws", Source: test.target.Source, Now: now}) {
			t.Errorf("%s: %v, %+v, %+v", name, err, c.Request, c.Bearer)
			continue
		}
		r := c.Response
		if r.ID != 7 || r.Project != 42 || r.Pipeline != 9 || r.ProjectPath != "acme/deploy" || !r.Protected || r.Timeout != 2600*time.Second {
			t.Errorf("%s: %+v", name, r)
		}
		if read, err := c.Read("another"); err != nil || read.Claims.JobID != "7" {
			t.Errorf("%s: %+v, %v", name, read, err)
		}
	}
}

// TestNoCase: a token without a job, and one that has expired, are of nobody.
func TestNoCase(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*idtoken.Claims)
		want   string // empty: there is a case
	}{
		"an old server":     {func(c *idtoken.Claims) { c.JobProjectID = "" }, ""},
		"no job":            {func(c *idtoken.Claims) { c.JobID = "" }, "no claim job_id"},
		"job 0":             {func(c *idtoken.Claims) { c.JobID = "0" }, "no claim job_id"},
		"a negative job":    {func(c *idtoken.Claims) { c.JobID = "-7" }, "no claim job_id"},
		"a long job":        {func(c *idtoken.Claims) { c.JobID = "99999999999999999999" }, "no claim job_id"},
		"no pipeline":       {func(c *idtoken.Claims) { c.PipelineID = "" }, "no claim pipeline_id"},
		"no project":        {func(c *idtoken.Claims) { c.JobProjectID, c.ProjectID = "", "" }, "no claim project_id"},
		"no number":         {func(c *idtoken.Claims) { c.JobProjectID = "x" }, "no claim project_id"},
		"no exp":            {func(c *idtoken.Claims) { c.Expiry = 0 }, "no claim exp"},
		"expired just now":  {func(c *idtoken.Claims) { c.Expiry = 2000 }, "the ID token expired at 1970-01-01T00:33:20Z"},
		"not yet":           {func(c *idtoken.Claims) { c.Expiry = 2001 }, ""},
		"expired long ago":  {func(c *idtoken.Claims) { c.Expiry = 1 }, "the ID token expired at"},
		"protected by text": {func(c *idtoken.Claims) { c.RefProtected = "True" }, ""},
	} {
		c, err := bearer.Target{Provider: "aws"}.Case(policy(), idtoken.Token{Claims: claims(test.change)}, time.Unix(2000, 0))
		switch {
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || fault.CodeOf(err) != fault.ForeignToken || c.Policy != nil):
			t.Errorf("%s: %v", name, err)
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.want == "" && c.Response.Protected == strings.HasPrefix(name, "protected"):
			t.Errorf("%s: protected is %v", name, c.Response.Protected)
		case test.want == "" && !slices.Contains([]int64{41, 42}, c.Response.Project):
			t.Errorf("%s: project %d", name, c.Response.Project)
		}
	}
}

// TestEnds: a token ends with exp, or when it is as old as its tenant allows.
func TestEnds(t *testing.T) {
	t.Parallel()
	for age, want := range map[time.Duration]int64{0: 4600, time.Hour: 4600, 2 * time.Hour: 4600, 10 * time.Minute: 1600, time.Second: 1001} {
		if got := bearer.Ends(claims(func(*idtoken.Claims) {}), tenant.Grant{MaxTokenAge: age}); got.Unix() != want {
			t.Errorf("%v: %d, want %d", age, got.Unix(), want)
		}
	}
}
