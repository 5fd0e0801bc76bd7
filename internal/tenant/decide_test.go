package tenant_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
)

// shared is a policy of a shared runner.
const shared = `shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy-alpha"
audience = "https://gitlab.example.com"
projects = ["acme/deploy", "acme/infra/*"]
refs = ["main", "release/*"]
protected = true
environments = ["alpha"]
region = "eu-central-1"
duration = "1h"
session_policy_file = "/etc/alpha.json"
policy_arns = ["arn:aws:iam::aws:policy/A"]
[[tenant]]
name = "beta"
role_arn = "arn:aws:iam::444455556666:role/beta"
audience = "beta"
projects = ["beta/**"]
ref_types = ["branch", "tag"]
id_token = "BETA_TOKEN"
[[tenant]]
name = "beta-prod"
role_arn = "arn:aws:iam::444455556666:role/prod"
audience = "beta"
projects = ["beta/*"]
refs = ["v*"]
ref_types = ["tag"]
id_token = "BETA_TOKEN"
[[tenant]]
name = "must"
role_arn = "arn:aws:iam::444455556666:role/must"
audience = "must-aud"
projects = ["must/*"]
id_token = "MUST_TOKEN"
required = true
`

// alphaClaims are claims that the tenant alpha allows, after some changes.
func alphaClaims(changes ...func(*tenant.Claims)) tenant.Claims {
	c := tenant.Claims{
		Audience: []string{"https://gitlab.example.com"}, Project: "acme/deploy", JobProject: "acme/deploy",
		Ref: "main", RefType: "branch", Protected: "true", Environment: "alpha",
	}
	for _, change := range changes {
		change(&c)
	}
	return c
}

// job returns a job of acme/deploy with a token of those claims.
func job(variable string, c tenant.Claims) tenant.Subject {
	project := c.JobProject
	if project == "" {
		project = c.Project
	}
	return tenant.Subject{Project: project, Tokens: map[string]tenant.Claims{variable: c}}
}

// betaJob returns a job of a project and ref with the token of beta.
func betaJob(project, refType, ref string) tenant.Subject {
	return job("BETA_TOKEN", tenant.Claims{Audience: []string{"beta"}, Project: project, JobProject: project, Ref: ref, RefType: refType, Protected: "false"})
}

func TestPolicyGrants(t *testing.T) {
	t.Parallel()
	policy := compile(t, shared)
	alpha := tenant.Grant{
		Tenant: "alpha", IDToken: "GITLAB_OIDC_TOKEN", Protected: true,
		Why: "projects acme/deploy; ref_types branch; refs main; protected; environments alpha",
		Gifts: gifts(grant.Settings{
			Role: aws.Role{Partition: "aws", Account: "111122223333", Path: "deploy-alpha"}, Region: "eu-central-1", Duration: time.Hour,
			SessionPolicyFile: "/etc/alpha.json", PolicyARNs: []string{"arn:aws:iam::aws:policy/A"},
		}),
	}
	infra, fork := alpha, alpha
	infra.Why = "projects acme/infra/*; ref_types branch; refs release/*; protected; environments alpha"
	fork.Why = "projects acme/deploy and acme/infra/*; ref_types branch; refs main; protected; environments alpha"
	role := func(path string) []tenant.Gift {
		return gifts(grant.Settings{Role: aws.Role{Partition: "aws", Account: "444455556666", Path: path}})
	}
	beta := tenant.Grant{Tenant: "beta", IDToken: "BETA_TOKEN", Why: "projects beta/**; ref_types branch", Gifts: role("beta")}
	prod := tenant.Grant{Tenant: "beta-prod", IDToken: "BETA_TOKEN", Why: "projects beta/*; ref_types tag; refs v*", Gifts: role("prod")}
	ok := job("GITLAB_OIDC_TOKEN", alphaClaims())
	for name, test := range map[string]struct {
		job    tenant.Subject
		change func(*tenant.Subject)
		want   tenant.Grant
	}{
		"the only tenant":             {ok, nil, alpha},
		"requested":                   {ok, func(j *tenant.Subject) { j.Requested = "alpha" }, alpha},
		"pinned":                      {ok, func(j *tenant.Subject) { j.Pinned = "alpha" }, alpha},
		"both":                        {ok, func(j *tenant.Subject) { j.Pinned, j.Requested = "alpha", "alpha" }, alpha},
		"a server that sends no path": {ok, func(j *tenant.Subject) { j.Project = "" }, alpha},
		"a server without job_project_path": {job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) {
			c.JobProject, c.Project, c.Ref = "", "acme/infra/x", "release/1"
		})), nil, infra},
		"a fork of the tenant's": {job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) { c.Project = "acme/infra/fork" })), nil, fork},
		"one of two candidates":  {betaJob("beta/a/b", "branch", "any/ref"), nil, beta},
		"requested of two":       {betaJob("beta/a", "tag", "v1"), func(j *tenant.Subject) { j.Requested = "beta-prod" }, prod},
		"tokens of other tenants too": {ok, func(j *tenant.Subject) {
			j.Tokens = map[string]tenant.Claims{"GITLAB_OIDC_TOKEN": alphaClaims(), "BETA_TOKEN": alphaClaims(), "OTHER": {}}
		}, alpha},
		"no token, nothing asked":        {tenant.Subject{Project: "acme/deploy"}, nil, tenant.Grant{}},
		"no token, protected":            {tenant.Subject{Project: "acme/deploy", Protected: true}, nil, tenant.Grant{Protected: true}},
		"no token, pinned":               {tenant.Subject{Project: "acme/deploy", Pinned: "alpha", Protected: true}, nil, tenant.Grant{Protected: true}},
		"another token, pinned":          {betaJob("acme/deploy", "branch", "main"), func(j *tenant.Subject) { j.Pinned = "alpha" }, tenant.Grant{}},
		"a token that no tenant asks":    {job("OTHER", alphaClaims()), nil, tenant.Grant{}},
		"one required of other projects": {tenant.Subject{Project: "must/a/b"}, nil, tenant.Grant{}},
	} {
		if test.change != nil {
			test.change(&test.job)
		}
		got, err := policy.Decide(test.job)
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: error %v, grant differs:\n%s", name, err, diff)
		}
	}
}

func TestPolicyTokenNames(t *testing.T) {
	t.Parallel()
	policy := compile(t, shared)
	for _, test := range []struct {
		pinned    tenant.Name
		requested string
		want      string
	}{
		{"", "", "BETA_TOKEN GITLAB_OIDC_TOKEN MUST_TOKEN"},
		{"alpha", "", "GITLAB_OIDC_TOKEN"},
		{"", "beta", "BETA_TOKEN"},
		{"must", "beta", "MUST_TOKEN"},
		{"gamma", "", ""},
		{"", "gamma", "BETA_TOKEN GITLAB_OIDC_TOKEN MUST_TOKEN"},
		{"", "../x", "BETA_TOKEN GITLAB_OIDC_TOKEN MUST_TOKEN"},
		{"alpha", "gamma", "GITLAB_OIDC_TOKEN"},
	} {
		if got := strings.Join(policy.TokenNames(test.pinned, test.requested), " "); got != test.want {
			t.Errorf("TokenNames(%q, %q) = %s, want %s", test.pinned, test.requested, got, test.want)
		}
	}
}

func TestPolicyExplain(t *testing.T) {
	t.Parallel()
	j := job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) { c.RefType, c.Protected = "tag", "false" }))
	j.Tokens["BETA_TOKEN"] = tenant.Claims{Audience: []string{"beta", "x"}, Project: "eve/a", JobProject: "beta/a", Ref: "v1", RefType: "tag"}
	j.Tokens["MUST_TOKEN"] = tenant.Claims{Audience: []string{"must-aud"}, Project: "must/x", Ref: "a\nb", RefType: "branch"}
	j.Project, j.Requested = "", "alpha"
	got := compile(t, shared).Explain(j)
	want := []tenant.Verdict{
		{Tenant: "alpha", Rules: []tenant.Rule{
			{Name: "id_token", Want: "GITLAB_OIDC_TOKEN", Got: "a token", OK: true},
			{Name: "audience", Want: "https://gitlab.example.com", Got: `["https://gitlab.example.com"]`, OK: true},
			{Name: "projects", Want: "acme/deploy, acme/infra/*", Got: `"acme/deploy"`, OK: true},
			{Name: "ref_types", Want: "branch", Got: `"tag"`},
			{Name: "refs", Want: "main, release/*", Got: `"main"`, OK: true},
			{Name: "protected", Want: "true", Got: `"false"`},
			{Name: "environments", Want: "alpha", Got: `"alpha"`, OK: true},
		}},
		{Tenant: "beta", Rules: []tenant.Rule{
			{Name: "id_token", Want: "BETA_TOKEN", Got: "a token", OK: true},
			{Name: "audience", Want: "beta", Got: `["beta", "x"]`},
			{Name: "projects", Want: "beta/**", Got: `"beta/a" for the fork "eve/a"`},
			{Name: "ref_types", Want: "branch, tag", Got: `"tag"`, OK: true},
			{Name: "refs", Want: "any", Got: `"v1"`, OK: true},
			{Name: "protected", Want: "any", Got: `""`, OK: true},
			{Name: "environments", Want: "any", Got: `""`, OK: true},
		}},
		got[2],
		{Tenant: "must", Allows: true, Rules: []tenant.Rule{
			{Name: "id_token", Want: "MUST_TOKEN", Got: "a token", OK: true},
			{Name: "audience", Want: "must-aud", Got: `["must-aud"]`, OK: true},
			{Name: "projects", Want: "must/*", Got: `"must/x"`, OK: true},
			{Name: "ref_types", Want: "branch", Got: `"branch"`, OK: true},
			{Name: "refs", Want: "any", Got: `"a\nb"`, OK: true},
			{Name: "protected", Want: "any", Got: `""`, OK: true},
			{Name: "environments", Want: "any", Got: `""`, OK: true},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the verdicts differ:\n%s", diff)
	}
	for _, v := range compile(t, shared).Explain(tenant.Subject{Project: "must/x"}) {
		for _, r := range v.Rules {
			if v.Allows || r.OK {
				t.Errorf("without a token, tenant %s: %+v", v.Tenant, r)
			}
		}
	}
}

// TestPolicyIsImmutable changes all that a policy hands out.
func TestPolicyIsImmutable(t *testing.T) {
	t.Parallel()
	text := strings.Replace(example(t), "policy_arns = []", `policy_arns = ["arn:aws:iam::aws:policy/A"]`, 1)
	policy, same := compile(t, text), compile(t, text)
	j := job("GITLAB_OIDC_TOKEN", alphaClaims())
	before, err := policy.Decide(j)
	if err != nil {
		t.Fatal(err)
	}
	other := parseRef(t, "**")
	for i := range policy.Tenants() {
		tenants := policy.Tenants()
		tenants[i].Projects[0], tenants[i].Refs[0], tenants[i].Environments[0] = other, other, other
		tenants[i].RefTypes[0], tenants[i].Gifts[0] = "tag", tenant.Gift{Provider: "eve"}
		change(policy.Tenants()[i].Gifts)
	}
	change(before.Gifts)
	before.Gifts[0] = tenant.Gift{Provider: "eve"}
	policy.TokenNames("", "")[0] = "EVE"
	policy.Explain(j)[0].Rules[0].OK = false
	if diff := cmp.Diff(same.Tenants(), policy.Tenants(), byText()); diff != "" {
		t.Errorf("the policy has changed:\n%s", diff)
	}
	got, err := policy.Decide(j)
	want, _ := same.Decide(j)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("the decision has changed: %v\n%s", err, diff)
	}
}

// change changes what can be changed of gifts of AWS.
func change(gifts []tenant.Gift) {
	given, _ := grant.Of(gifts)
	given.AllowedAccounts[0], given.PolicyARNs[0] = "444455556666", "arn:eve"
}
