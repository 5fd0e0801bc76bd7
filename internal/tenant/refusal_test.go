package tenant_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	case !errors.As(err, &refusal) || !cmp.Equal(got, tenant.Grant{}):
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
	const admin, protected = ", or ask the runner's admin", ` for project "acme/deploy", ref "main" (branch, protected): rule `
	const notOurs = "the project is not one of the tenant's; choose the tenant of the project" + admin
	for name, test := range map[string]struct {
		rule, want string
		change     func(*tenant.Claims)
	}{
		"another audience":      {"audience", protected + `audience: the token's audience is ["x"]; set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = []string{"x"} }},
		"no audience":           {"audience", protected + `audience: the token's audience is []; set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = nil }},
		"two audiences":         {"audience", protected + `audience: the token's audience is ["https://gitlab.example.com", "x"]; set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = append(c.Audience, "x") }},
		"audience with a slash": {"audience", protected + `audience: the token's audience is ["https://gitlab.example.com/"]; set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) { c.Audience = []string{"https://gitlab.example.com/"} }},
		"another project":       {"projects", ` for project "eve/deploy", ref "main" (branch, protected): rule projects: ` + notOurs, func(c *tenant.Claims) { c.Project, c.JobProject = "eve/deploy", "eve/deploy" }},
		"project in capitals":   {"projects", ` for project "Acme/deploy", ref "main" (branch, protected): rule projects: ` + notOurs, func(c *tenant.Claims) { c.Project, c.JobProject = "Acme/deploy", "Acme/deploy" }},
		"project below":         {"projects", ` for project "acme/infra/a/b", ref "main" (branch, protected): rule projects: ` + notOurs, func(c *tenant.Claims) { c.Project, c.JobProject = "acme/infra/a/b", "acme/infra/a/b" }},
		"no project":            {"projects", ` for project "", ref "main" (branch, protected): rule projects: ` + notOurs, func(c *tenant.Claims) { c.Project, c.JobProject = "", "" }},
		"a fork":                {"projects", ` for project "acme/deploy" for the fork "eve/deploy", ref "main" (branch, protected): rule projects: the project or its fork is not one of the tenant's; run the pipeline in the project itself` + admin, func(c *tenant.Claims) { c.Project = "eve/deploy" }},
		"run by another":        {"projects", ` for project "eve/deploy" for the fork "acme/deploy", ref "main" (branch, protected): rule projects: the project or its fork is not one of the tenant's; run the pipeline in the project itself` + admin, func(c *tenant.Claims) { c.JobProject = "eve/deploy" }},
		"a tag":                 {"ref_types", ` for project "acme/deploy", ref "main" (tag, protected): rule ref_types: jobs of a ref of type "tag" are not allowed; run the job for a ref of another type` + admin, func(c *tenant.Claims) { c.RefType = "tag" }},
		"no type":               {"ref_types", ` for project "acme/deploy", ref "main" (type "", protected): rule ref_types: jobs of a ref of type "" are not allowed; run the job for a ref of another type` + admin, func(c *tenant.Claims) { c.RefType = "" }},
		"Main":                  {"refs", ` for project "acme/deploy", ref "Main" (branch, protected): rule refs: the ref is not one of the tenant's; run the job for a ref that is` + admin, func(c *tenant.Claims) { c.Ref = "Main" }},
		"main/x":                {"refs", ` for project "acme/deploy", ref "main/x" (branch, protected): rule refs: the ref is not one of the tenant's; run the job for a ref that is` + admin, func(c *tenant.Claims) { c.Ref = "main/x" }},
		"release/../main":       {"refs", ` for project "acme/deploy", ref "release/../main" (branch, protected): rule refs: the ref is not one of the tenant's; run the job for a ref that is` + admin, func(c *tenant.Claims) { c.Ref = "release/../main" }},
		"release/..":            {"refs", ` for project "acme/deploy", ref "release/.." (branch, protected): rule refs: the ref is not one of the tenant's; run the job for a ref that is` + admin, func(c *tenant.Claims) { c.Ref = "release/.." }},
		"lines in the ref":      {"refs", ` for project "acme/deploy", ref "main\n[author]" (branch, protected): rule refs: the ref is not one of the tenant's; run the job for a ref that is` + admin, func(c *tenant.Claims) { c.Ref = "main\n[author]" }},
		"not protected":         {"protected", ` for project "acme/deploy", ref "main" (branch, not protected): rule protected: the ref is not protected; protect it under Settings > Repository` + admin, func(c *tenant.Claims) { c.Protected = "false" }},
		"True":                  {"protected", ` for project "acme/deploy", ref "main" (branch, not protected): rule protected: the ref is not protected; protect it under Settings > Repository` + admin, func(c *tenant.Claims) { c.Protected = "True" }},
		"no environment":        {"environments", protected + `environments: the job has no environment; set environment: in the job` + admin, func(c *tenant.Claims) { c.Environment = "" }},
		"another environment":   {"environments", protected + `environments: the job's environment is "beta"; correct environment: in the job` + admin, func(c *tenant.Claims) { c.Environment = "beta" }},
		"all wrong, the first is told": {"audience", ` for project "eve/x", ref "x" (tag, not protected): rule audience: the token's audience is []; set aud: of GITLAB_OIDC_TOKEN under id_tokens: to https://gitlab.example.com alone`, func(c *tenant.Claims) {
			*c = tenant.Claims{Project: "eve/x", Ref: "x", RefType: "tag"}
		}},
	} {
		for _, pinned := range []tenant.Name{"", "alpha"} {
			j := job("GITLAB_OIDC_TOKEN", alphaClaims(test.change))
			j.Requested, j.Pinned = "alpha", pinned
			checkRefusal(t, policy, j, test.rule, `tenant "alpha" refused`+test.want)
			j.Requested, j.Pinned = "", ""
			if got, err := policy.Decide(j); err == nil || !cmp.Equal(got, tenant.Grant{}) || !strings.Contains(err.Error(), "no tenant of this runner's policy allows") {
				t.Errorf("%s, without TENANT: got %+v, %v, want a refusal", name, got, err)
			}
		}
	}
}

func TestPolicyRefuses(t *testing.T) {
	t.Parallel()
	policy := compile(t, shared)
	const yaml = "; add to the job in .gitlab-ci.yml\n  id_tokens:\n    "
	const alphaYAML = yaml + "GITLAB_OIDC_TOKEN:\n      aud: https://gitlab.example.com"
	const mustYAML = `tenant "must": the job has no ID token in MUST_TOKEN` + yaml + "MUST_TOKEN:\n      aud: must-aud"
	long := strings.Repeat("x", 300)
	ok := job("GITLAB_OIDC_TOKEN", alphaClaims())
	for _, test := range map[string]struct {
		job        tenant.Subject
		change     func(*tenant.Subject)
		rule, want string
	}{
		"pinned, another requested":       {ok, func(j *tenant.Subject) { j.Pinned, j.Requested = "alpha", "beta" }, "tenant", `the job asks for tenant "beta", this runner serves tenant "alpha" only; choose a runner of that tenant by its tags`},
		"pinned, a bad name":              {ok, func(j *tenant.Subject) { j.Pinned, j.Requested = "alpha", "../alpha" }, "tenant", `the job asks for tenant "../alpha", this runner serves tenant "alpha" only; choose a runner of that tenant by its tags`},
		"a bad name":                      {ok, func(j *tenant.Subject) { j.Requested = "a\nb" }, "tenant", `variable TENANT: tenant name "a\nb": want 1 to 63 of a-z, 0-9, - and _, not starting with -; correct TENANT in .gitlab-ci.yml`},
		"an unknown tenant":               {ok, func(j *tenant.Subject) { j.Requested = "gamma" }, "tenant", `this runner serves no tenant "gamma"; correct TENANT in .gitlab-ci.yml, or ask the runner's admin`},
		"the tenant none":                 {ok, func(j *tenant.Subject) { j.Requested = "none" }, "tenant", `this runner serves no tenant "none"; correct TENANT in .gitlab-ci.yml, or ask the runner's admin`},
		"no token, requested":             {tenant.Subject{Requested: "alpha"}, nil, "id_token", `tenant "alpha": the job has no ID token in GITLAB_OIDC_TOKEN` + alphaYAML},
		"no token, both":                  {tenant.Subject{Requested: "alpha", Pinned: "alpha"}, nil, "id_token", `tenant "alpha": the job has no ID token in GITLAB_OIDC_TOKEN` + alphaYAML},
		"another token, requested":        {betaJob("beta/a", "branch", "x"), func(j *tenant.Subject) { j.Requested = "alpha" }, "id_token", `tenant "alpha": the job has no ID token in GITLAB_OIDC_TOKEN` + alphaYAML},
		"no token, required":              {tenant.Subject{Project: "must/x"}, nil, "id_token", mustYAML},
		"no token, required and pinned":   {tenant.Subject{Project: "eve/x", Pinned: "must"}, nil, "id_token", mustYAML},
		"an empty token":                  {job("GITLAB_OIDC_TOKEN", tenant.Claims{}), nil, "tenant", `no tenant of this runner's policy allows project "", ref "" (type "", not protected); set TENANT to learn which rule of a tenant refuses, or ask the runner's admin`},
		"several":                         {betaJob("beta/a", "tag", "v1"), nil, "tenant", "several tenants allow the job: beta, beta-prod; set TENANT to one of them"},
		"none":                            {betaJob("acme/deploy", "tag", "v1"), nil, "tenant", `no tenant of this runner's policy allows project "acme/deploy", ref "v1" (tag, not protected); set TENANT to learn which rule of a tenant refuses, or ask the runner's admin`},
		"the token is of another project": {ok, func(j *tenant.Subject) { j.Project, j.Requested = "acme/infra/x", "alpha" }, "projects", `tenant "alpha" refused for project "acme/deploy", ref "main" (branch, protected): rule projects: GitLab says that the job is of project "acme/infra/x"; let id_tokens: set the token, or ask the runner's admin`},
		"the token under another's name":  {job("GITLAB_OIDC_TOKEN", betaJob("beta/a", "branch", "x").Tokens["BETA_TOKEN"]), nil, "tenant", `no tenant of this runner's policy allows project "beta/a", ref "x" (branch, not protected); set TENANT to learn which rule of a tenant refuses, or ask the runner's admin`},
		"long texts":                      {betaJob(long, long, long), nil, "tenant", `no tenant of this runner's policy allows project "` + long[:80] + `"…, ref "` + long[:80] + `"… (type "` + long[:80] + `"…, not protected); set TENANT to learn which rule of a tenant refuses, or ask the runner's admin`},
	} {
		if test.change != nil {
			test.change(&test.job)
		}
		checkRefusal(t, policy, test.job, test.rule, test.want)
	}
	_, err := policy.Decide(tenant.Subject{Pinned: "gamma", Requested: "alpha"})
	if err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), `--tenant "gamma" is not in the policy file; `) {
		t.Errorf("pinned to an unknown tenant: %v, want an error of the admin's", err)
	}
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
	if _, err := compile(t, shared).Decide(j); err == nil || !strings.Contains(err.Error(), strings.Repeat(`"x", `, 9)+`"x" and 3 more]`) {
		t.Error(err)
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
			_, err := policy.Decide(j)
			for _, secret := range []string{"release/", "infra", "beta/", "beta-prod", "must", "444455556666"} {
				if err == nil || strings.Contains(err.Error(), secret) {
					t.Errorf("TENANT=%s: %v tells %s", requested, err, secret)
				}
			}
		}
	}
}
