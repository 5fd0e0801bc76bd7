package tenant_test

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// checkRefusal holds that a job is refused by a rule, on the author's side, in those
// words.
func checkRefusal(t *testing.T, policy *tenant.Policy, j tenant.Subject, rule, want string) {
	t.Helper()
	name := want[:min(len(want), 60)]
	got, err := policy.Decide(j)
	var refusal *tenant.Refusal
	switch {
	case !errors.As(err, &refusal) || !gocmp.Equal(got, tenant.Grant{}):
		t.Errorf("%s: got %+v, %v, want no grant and a Refusal", name, got, err)
	case refusal.Rule != rule || fault.SideOf(err) != fault.Author:
		t.Errorf("%s: rule %q, side %s, want %q and the author: %v", name, refusal.Rule, fault.SideOf(err), rule, err)
	case err.Error() != want:
		t.Errorf("%s:\n got %s\nwant %s", name, err, want)
	}
}

func TestPolicyRefusesByRule(t *testing.T) {
	t.Parallel()
	policy := compile(t, shared)
	for name, test := range map[string]struct {
		rule, reason, job, next string
		change                  func(*tenant.Claims)
	}{
		"another audience":      {"audience", `GITLAB_OIDC_TOKEN is for the audience "x"; this runner takes "https://gitlab.example.com"`, `project "acme/deploy", ref "main" (branch, protected), environment "alpha"`, `set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = []string{"x"} }},
		"no audience":           {"audience", `GITLAB_OIDC_TOKEN is for the audience ""; this runner takes "https://gitlab.example.com"`, `project "acme/deploy", ref "main" (branch, protected), environment "alpha"`, `set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = nil }},
		"two audiences":         {"audience", `GITLAB_OIDC_TOKEN is for the audience "https://gitlab.example.com", "x"; this runner takes "https://gitlab.example.com"`, `project "acme/deploy", ref "main" (branch, protected), environment "alpha"`, `set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = append(c.Audience, "x") }},
		"audience with a slash": {"audience", `GITLAB_OIDC_TOKEN is for the audience "https://gitlab.example.com/"; this runner takes "https://gitlab.example.com"`, `project "acme/deploy", ref "main" (branch, protected), environment "alpha"`, `set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = []string{"https://gitlab.example.com/"} }},
		"another project":       {"projects", `the project is not one of the tenant's`, `project "eve/deploy", ref "main" (branch, protected), environment "alpha"`, `choose the tenant of the project`, func(c *tenant.Claims) { c.Project, c.JobProject = "eve/deploy", "eve/deploy" }},
		"project in capitals":   {"projects", `the project is not one of the tenant's`, `project "Acme/deploy", ref "main" (branch, protected), environment "alpha"`, `choose the tenant of the project`, func(c *tenant.Claims) { c.Project, c.JobProject = "Acme/deploy", "Acme/deploy" }},
		"project below":         {"projects", `the project is not one of the tenant's`, `project "acme/infra/a/b", ref "main" (branch, protected), environment "alpha"`, `choose the tenant of the project`, func(c *tenant.Claims) { c.Project, c.JobProject = "acme/infra/a/b", "acme/infra/a/b" }},
		"no project":            {"projects", `the project is not one of the tenant's`, `project "", ref "main" (branch, protected), environment "alpha"`, `choose the tenant of the project`, func(c *tenant.Claims) { c.Project, c.JobProject = "", "" }},
		"a fork":                {"projects", `the project or its fork is not one of the tenant's`, `project "acme/deploy" for the fork "eve/deploy", ref "main" (branch, protected), environment "alpha"`, `run the pipeline in the project itself`, func(c *tenant.Claims) { c.Project = "eve/deploy" }},
		"run by another":        {"projects", `the project or its fork is not one of the tenant's`, `project "eve/deploy" for the fork "acme/deploy", ref "main" (branch, protected), environment "alpha"`, `run the pipeline in the project itself`, func(c *tenant.Claims) { c.JobProject = "eve/deploy" }},
		"a tag":                 {"ref_types", `jobs of a ref of type "tag" are not allowed`, `project "acme/deploy", ref "main" (tag, protected), environment "alpha"`, `run the job for a ref of another type`, func(c *tenant.Claims) { c.RefType = "tag" }},
		"no type":               {"ref_types", `jobs of a ref of type "" are not allowed`, `project "acme/deploy", ref "main" (type "", protected), environment "alpha"`, `run the job for a ref of another type`, func(c *tenant.Claims) { c.RefType = "" }},
		"Main":                  {"refs", `the ref is not one of the tenant's`, `project "acme/deploy", ref "Main" (branch, protected), environment "alpha"`, `run the job for a ref that is`, func(c *tenant.Claims) { c.Ref = "Main" }},
		"main/x":                {"refs", `the ref is not one of the tenant's`, `project "acme/deploy", ref "main/x" (branch, protected), environment "alpha"`, `run the job for a ref that is`, func(c *tenant.Claims) { c.Ref = "main/x" }},
		"release/../main":       {"refs", `the ref is not one of the tenant's`, `project "acme/deploy", ref "release/../main" (branch, protected), environment "alpha"`, `run the job for a ref that is`, func(c *tenant.Claims) { c.Ref = "release/../main" }},
		"release/..":            {"refs", `the ref is not one of the tenant's`, `project "acme/deploy", ref "release/.." (branch, protected), environment "alpha"`, `run the job for a ref that is`, func(c *tenant.Claims) { c.Ref = "release/.." }},
		"lines in the ref":      {"refs", `the ref is not one of the tenant's`, `project "acme/deploy", ref "main\n[author]" (branch, protected), environment "alpha"`, `run the job for a ref that is`, func(c *tenant.Claims) { c.Ref = "main\n[author]" }},
		"not protected":         {"protected", `the ref is not protected`, `project "acme/deploy", ref "main" (branch, not protected), environment "alpha"`, `protect it under Settings > Repository`, func(c *tenant.Claims) { c.Protected = "false" }},
		"True":                  {"protected", `the ref is not protected`, `project "acme/deploy", ref "main" (branch, not protected), environment "alpha"`, `protect it under Settings > Repository`, func(c *tenant.Claims) { c.Protected = "True" }},
		"no environment":        {"environments", `the job has no environment`, `project "acme/deploy", ref "main" (branch, protected)`, `set environment: in the job`, func(c *tenant.Claims) { c.Environment = "" }},
		"another environment":   {"environments", `the job's environment is not one of the tenant's`, `project "acme/deploy", ref "main" (branch, protected), environment "beta"`, `correct environment: in the job`, func(c *tenant.Claims) { c.Environment = "beta" }},
		"all wrong, the first is told": {"audience", `GITLAB_OIDC_TOKEN is for the audience ""; this runner takes "https://gitlab.example.com"`, `project "eve/x", ref "x" (tag, not protected)`, `set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) {
			*c = tenant.Claims{Project: "eve/x", Ref: "x", RefType: "tag"}
		}},
	} {
		if test.rule != "audience" {
			test.next += ", or ask the runner's admin"
		}
		for _, pinned := range []tenant.Name{"", "alpha"} {
			j := job("GITLAB_OIDC_TOKEN", alphaClaims(test.change))
			j.Requested, j.Named, j.Pinned = "alpha", true, pinned
			checkRefusal(t, policy, j, test.rule, `tenant "alpha" refuses this job: rule `+test.rule+"; "+test.next)
			_, err := policy.Decide(j)
			if diff := gocmp.Diff([]fault.Row{{Label: "rule", Text: test.reason}, {Label: "this job", Text: test.job}}, fault.Rows(err)); diff != "" {
				t.Errorf("%s: what is known differs:\n%s", name, diff)
			}
		}
	}
}

// inherit is how a job drops the ID token that all jobs have by default.
const inherit = "\n  inherit:\n    default: false   # or a list of the defaults that the job keeps"

func TestPolicyRefuses(t *testing.T) {
	t.Parallel()
	policy := compile(t, shared)
	const yaml = "; add to the job in .gitlab-ci.yml\n  id_tokens:\n    "
	const alphaYAML = `tenant "alpha": the job has no ID token in GITLAB_OIDC_TOKEN` + yaml + "GITLAB_OIDC_TOKEN:\n      aud: https://gitlab.example.com"
	const mustYAML = `tenant "must": the job has no ID token in MUST_TOKEN` + yaml + "MUST_TOKEN:\n      aud: must-aud"
	const unknown = "; correct TENANT in .gitlab-ci.yml; if it means something else, and the job has its ID token by default:" + inherit
	const only = `this runner serves tenant "alpha" only; choose a runner of that tenant by its tags`
	long := strings.Repeat("x", 300)
	ok := job("GITLAB_OIDC_TOKEN", alphaClaims())
	must := job("MUST_TOKEN", tenant.Claims{Audience: []string{"must-aud"}, Project: "must/x", JobProject: "must/x", Ref: "x", RefType: "tag"})
	for _, test := range map[string]struct {
		job        tenant.Subject
		change     func(*tenant.Subject)
		rule, want string
	}{
		"pinned, another requested":       {ok, func(j *tenant.Subject) { j.Pinned, j.Requested = "alpha", "beta" }, "tenant", `the job asks for tenant "beta", ` + only},
		"pinned, another, no token":       {tenant.Subject{}, func(j *tenant.Subject) { j.Pinned, j.Requested = "alpha", "beta" }, "tenant", `the job asks for tenant "beta", ` + only},
		"pinned, a bad name":              {ok, func(j *tenant.Subject) { j.Pinned, j.Requested = "alpha", "../alpha" }, "tenant", `this runner has no tenant "../alpha"` + unknown},
		"a bad name":                      {ok, func(j *tenant.Subject) { j.Requested = "a\nb" }, "tenant", `this runner has no tenant "a\nb"` + unknown},
		"a long name":                     {ok, func(j *tenant.Subject) { j.Requested = long }, "tenant", `this runner has no tenant "` + long[:80] + `"…` + unknown},
		"an unknown tenant":               {ok, func(j *tenant.Subject) { j.Requested = "gamma" }, "tenant", `this runner has no tenant "gamma"` + unknown},
		"unknown, a token among others":   {ok, func(j *tenant.Subject) { j.Requested = "gamma"; j.Tokens = both(alphaClaims(), "x", "beta") }, "tenant", `this runner has no tenant "gamma"` + unknown},
		"the tenant none":                 {ok, func(j *tenant.Subject) { j.Requested = "none" }, "tenant", `this runner has no tenant "none"` + unknown},
		"unknown, required":               {tenant.Subject{Project: "must/x", Requested: "gamma"}, nil, "tenant", `this runner has no tenant "gamma"` + unknown},
		"empty, required":                 {tenant.Subject{Project: "must/x", Named: true}, nil, "tenant", "the job's variable TENANT is empty; set TENANT to the tenant, or leave it out; a variable of another one is empty where that one is not set, or is protected"},
		"empty, required by the pin":      {tenant.Subject{Project: "eve/x", Named: true, Pinned: "must"}, nil, "tenant", "the job's variable TENANT is empty; set TENANT to the tenant, or leave it out; a variable of another one is empty where that one is not set, or is protected"},
		"no token, requested":             {tenant.Subject{Requested: "alpha"}, nil, "id_token", alphaYAML},
		"no token, both":                  {tenant.Subject{Requested: "alpha", Pinned: "alpha"}, nil, "id_token", alphaYAML},
		"another token, requested":        {betaJob("beta/a", "branch", "x"), func(j *tenant.Subject) { j.Requested = "alpha" }, "id_token", alphaYAML},
		"no token, required":              {tenant.Subject{Project: "must/x"}, nil, "id_token", mustYAML},
		"another token, required":         {betaJob("must/x", "branch", "x"), nil, "id_token", mustYAML},
		"another token, an old server":    {betaJob("must/x", "branch", "x"), func(j *tenant.Subject) { j.Project = "" }, "id_token", mustYAML},
		"no token, required and pinned":   {tenant.Subject{Project: "eve/x", Pinned: "must"}, nil, "id_token", mustYAML},
		"a rule, required":                {must, nil, "ref_types", `tenant "must" refuses this job: rule ref_types; run the job for a ref of another type, or ask the runner's admin`},
		"a rule, required and pinned":     {must, func(j *tenant.Subject) { j.Pinned = "must" }, "ref_types", `tenant "must" refuses this job: rule ref_types; run the job for a ref of another type, or ask the runner's admin`},
		"several":                         {betaJob("beta/a", "tag", "v1"), nil, "tenant", "several tenants allow the job; set TENANT to one of them; or, if the job needs no AWS and has the ID token by default:" + inherit},
		"the token is of another project": {ok, func(j *tenant.Subject) { j.Project, j.Requested = "acme/infra/x", "alpha" }, "projects", `tenant "alpha" refuses this job: rule projects; let id_tokens: set the token, or ask the runner's admin`},
	} {
		if test.change != nil {
			test.change(&test.job)
		}
		test.job.Named = test.job.Named || test.job.Requested != ""
		checkRefusal(t, policy, test.job, test.rule, test.want)
	}
	_, err := policy.Decide(betaJob("beta/a", "tag", "v1"))
	if rows := fault.Rows(err); len(rows) != 1 || rows[0].Text != "beta, beta-prod" {
		t.Errorf("of several tenants the job is told %v", rows)
	}
	_, err = policy.Decide(tenant.Subject{Pinned: "gamma", Requested: "alpha"})
	if err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), `--tenant "gamma" is not in the policy file; `) {
		t.Errorf("pinned to an unknown tenant: %v, want an error of the admin's", err)
	}
}

// both returns the tokens of a job that has one of alpha and one of beta's variable, which
// is for other audiences.
func both(alpha tenant.Claims, audiences ...string) map[string]tenant.Claims {
	return map[string]tenant.Claims{"GITLAB_OIDC_TOKEN": alpha, "BETA_TOKEN": {Audience: audiences}}
}

// TestUnknownRule: a rule that no code checks allows no job.
func TestUnknownRule(t *testing.T) {
	t.Parallel()
	if new(tenant.Tenant).Holds("runner") || new(tenant.Tenant).Holds("") || !new(tenant.Tenant).Holds("refs") {
		t.Error("an unknown rule allows jobs, or a tenant without refs none")
	}
}

// TestManyAudiences: a refusal stays short, whatever the token holds.
func TestManyAudiences(t *testing.T) {
	t.Parallel()
	j := job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) { c.Audience = strings.Split(strings.Repeat("x,", 12)+"x", ",") }))
	j.Requested = "alpha"
	_, err := compile(t, shared).Decide(j)
	if rows := fault.Rows(err); len(rows) != 2 || !strings.Contains(rows[0].Text, strings.Repeat(`"x", `, 9)+`"x" and 3 more;`) {
		t.Error(err, rows)
	}
}

// TestPolicyRefusalTellsNoPatterns holds that no text for a job names a pattern or,
// unless it allows the job, a tenant that was not asked for.
func TestPolicyRefusalTellsNoPatterns(t *testing.T) {
	t.Parallel()
	policy := compile(t, shared)
	for _, c := range []tenant.Claims{{}, alphaClaims(func(c *tenant.Claims) { c.Ref = "x" }), alphaClaims(func(c *tenant.Claims) { c.Environment = "x" })} {
		for _, requested := range []string{"", "alpha", "beta", "nobody"} {
			j := job("GITLAB_OIDC_TOKEN", c)
			j.Requested = requested
			got, err := policy.Decide(j)
			told := fmt.Sprint(cmp.Or(err, got.Unserved), fault.Rows(cmp.Or(err, got.Unserved)))
			for _, secret := range []string{"release/", "infra", "beta/", "beta-prod", "must", "444455556666"} {
				if err == nil && got.Unserved == nil || strings.Contains(told, secret) {
					t.Errorf("TENANT=%s: %s tells %s", requested, told, secret)
				}
			}
		}
	}
}
