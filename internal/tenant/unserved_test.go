package tenant_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// TestPolicyUnserved: jobs that want no credentials, or cannot have them, and go on
// without. What they are told begins with a text; with an empty one nothing is told.
func TestPolicyUnserved(t *testing.T) {
	t.Parallel()
	const foreign, takes = `GITLAB_OIDC_TOKEN is for the audience `, `; this runner takes "https://gitlab.example.com"; `
	const none, empty = "no tenant of this runner allows this job; set TENANT", "the job's variable TENANT is empty; "
	ok := job("GITLAB_OIDC_TOKEN", alphaClaims())
	feature := job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) { c.Ref = "feature/x" }))
	vault := job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) { c.Audience = []string{"https://vault.example.com"} }))
	for name, test := range map[string]struct {
		job       tenant.Subject
		pinned    tenant.Name
		requested string // "-": the job has no TENANT
		want      string
	}{
		"no token":                        {tenant.Subject{Project: "acme/deploy"}, "", "-", ""},
		"no token, pinned":                {tenant.Subject{Project: "acme/deploy"}, "alpha", "-", ""},
		"a feature branch":                {feature, "", "-", none},
		"a feature branch, pinned":        {feature, "alpha", "-", `tenant "alpha" refuses this job: rule refs; `},
		"a project of no tenant":          {job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) { c.Project, c.JobProject = "eve/x", "eve/x" })), "", "-", none},
		"a tag":                           {betaJob("acme/deploy", "tag", "v1"), "", "-", none},
		"no claims":                       {job("GITLAB_OIDC_TOKEN", tenant.Claims{}), "", "-", foreign + `""` + takes},
		"another's token under the name":  {job("GITLAB_OIDC_TOKEN", betaJob("beta/a", "branch", "x").Tokens["BETA_TOKEN"]), "", "-", foreign + `"beta"` + takes},
		"a token for Vault":               {vault, "", "-", foreign + `"https://vault.example.com"` + takes},
		"a token for Vault, pinned":       {vault, "alpha", "-", `tenant "alpha" refuses this job: rule audience; `},
		"two tokens, one for Vault":       {tenant.Subject{Project: "eve/x", Tokens: both(vault.Tokens["GITLAB_OIDC_TOKEN"], "beta")}, "", "-", none},
		"an empty TENANT":                 {ok, "", "", empty},
		"an empty TENANT, pinned":         {ok, "alpha", "", empty},
		"an empty TENANT, no token":       {tenant.Subject{}, "", "", empty},
		"an unknown TENANT":               {tenant.Subject{Project: "acme/deploy"}, "", "dev01", `this runner has no tenant "dev01"; `},
		"an unknown TENANT, pinned":       {tenant.Subject{Project: "acme/deploy"}, "alpha", "contoso.onmicrosoft.com", `this runner has no tenant "contoso.onmicrosoft.com"; `},
		"an unknown TENANT, for Vault":    {vault, "", "dev01", `this runner has no tenant "dev01"; `},
		"unknown, the variable of others": {job("OTHER", alphaClaims()), "", "dev01", `this runner has no tenant "dev01"; `},
	} {
		test.job.Pinned = test.pinned
		if test.requested != "-" {
			test.job.Requested, test.job.Named = test.requested, true
		}
		got, err := compile(t, shared).Decide(test.job)
		if err != nil || got.Tenant != tenant.None {
			t.Errorf("%s: %+v, %v, want no tenant", name, got, err)
		}
		checkUnserved(t, name, got, test.want)
		if test.want == "" {
			continue
		}
		without := compile(t, strings.ReplaceAll(isolated(), "run_as = \"ci-none\"\n", ""))
		if got, err := without.Decide(test.job); err == nil || fault.SideOf(err) != fault.Author || got.Tenant != tenant.None {
			t.Errorf("%s, where no job may be without a tenant: %+v, %v, want the author's error", name, got, err)
		}
	}
}

// isolated is the policy shared with a unix user for each tenant, and for other jobs.
func isolated() string {
	text := "run_as = \"ci-none\"\nbuilds_dir = \"/b\"\ncache_dir = \"/c\"\n" + strings.ReplaceAll(shared, "shared_user = \"unsafe\"\n", "")
	for _, name := range []string{"alpha", "beta", "beta-prod", "must"} {
		line := "name = \"" + name + "\"\n"
		text = strings.Replace(text, line, line+"run_as = \"ci-"+name+"\"\n", 1)
	}
	return text
}

// TestUnservedRunsAs: such a job is one of no tenant, with its unix user and trust class.
func TestUnservedRunsAs(t *testing.T) {
	t.Parallel()
	j := job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) { c.Ref = "x" }))
	j.Protected = true
	got, err := compile(t, isolated()).Decide(j)
	if err != nil || got.RunAs != "ci-none" || got.Folder() != "none/protected" || got.IDToken != "" || got.Why != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUnknownNone: with unknown_tenant = "none" a job of another TENANT has no tenant, even
// if its token is one of a tenant's; but a job that a tenant requires is refused.
func TestUnknownNone(t *testing.T) {
	t.Parallel()
	policy := compile(t, "unknown_tenant = \"none\"\n"+shared)
	for _, pinned := range []tenant.Name{"", "alpha"} {
		j := job("GITLAB_OIDC_TOKEN", alphaClaims())
		j.Pinned, j.Requested, j.Named = pinned, "dev01", true
		got, err := policy.Decide(j)
		if err != nil || got.Tenant != tenant.None {
			t.Errorf("pinned to %q: %+v, %v", pinned, got, err)
		}
		checkUnserved(t, string(pinned), got, `this runner has no tenant "dev01"; `)
	}
	for name, j := range map[string]tenant.Subject{
		"required":         {Project: "must/x", Requested: "dev01", Named: true},
		"required, pinned": {Project: "x/y", Pinned: "must", Requested: "dev01", Named: true},
		"another of ours":  {Project: "acme/deploy", Pinned: "alpha", Requested: "beta", Named: true},
	} {
		if got, err := policy.Decide(j); err == nil || fault.SideOf(err) != fault.Author {
			t.Errorf("%s: %+v, %v, want a refusal", name, got, err)
		}
	}
}

// TestForeignAudienceTellsNothing: where tenants that read one variable have several
// audiences, a job is not told them.
func TestForeignAudienceTellsNothing(t *testing.T) {
	t.Parallel()
	text := strings.Replace(shared, "audience = \"beta\"\nprojects = [\"beta/*\"]", "audience = \"prod\"\nprojects = [\"beta/*\"]", 1)
	got, err := compile(t, text).Decide(job("BETA_TOKEN", tenant.Claims{Audience: []string{"x"}}))
	if err != nil {
		t.Fatal(err)
	}
	checkUnserved(t, "two audiences", got, `BETA_TOKEN is for the audience "x"; this runner takes others; `)
}
