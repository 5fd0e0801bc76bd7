package trust_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/admin/trust"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

const host = "gitlab.example.com"

// policyOf compiles a policy file with one tenant, alpha, of these lines.
func policyOf(t *testing.T, issuer, rules string) *tenant.Policy {
	t.Helper()
	if !strings.Contains(rules, "role_arn") {
		rules += "\nrole_arn = \"arn:aws:iam::111122223333:role/ci/deploy-alpha\"\n"
	}
	content := fmt.Sprintf("[gitlab]\nissuer = %q\n[[tenant]]\nname = \"alpha\"\naudience = \"https://%s\"\n%s\n", issuer, host, rules)
	return compile(t, content)
}

func compile(t *testing.T, content string) *tenant.Policy {
	t.Helper()
	policy, err := policyfile.Compile("rolecall.toml", []byte(content), grant.AWS{})
	if err != nil {
		t.Fatal(err)
	}
	return policy
}

func newTrust(t *testing.T, policy *tenant.Policy) trust.Trust {
	t.Helper()
	result, err := trust.New(policy.Settings().GitLab.Issuer, policy.Tenants()[0], "")
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// rules returns what the notes are about.
func rules(result trust.Trust) []string {
	var about []string
	for _, note := range result.Notes {
		about = append(about, note.Rule)
	}
	return about
}

// always are the notes on what no trust policy can hold.
var always = []string{"forks", "sub"}

func TestNotes(t *testing.T) {
	t.Parallel()
	const exact = `projects = ["acme/deploy"]
refs = ["main"]
ref_types = ["branch"]
`
	long := strings.Repeat(`"acme/an-unusually-long-name-of-a-project-for-its-length-alone",`, 20)
	for name, c := range map[string]struct {
		issuer, rules string
		want          []string
	}{
		"exact":         {"https://" + host, exact, nil},
		"two of all":    {"https://" + host, "projects = [\"acme/a\", \"acme/b\"]\nrefs = [\"main\", \"next\"]\nref_types = [\"branch\", \"tag\"]", nil},
		"any depth":     {"https://" + host, "projects = [\"acme/**\"]\nrefs = [\"release/**\"]\nref_types = [\"branch\"]", nil},
		"one segment":   {"https://" + host, "projects = [\"acme/*\"]\nrefs = [\"main\"]\nref_types = [\"branch\"]", []string{"projects"}},
		"part":          {"https://" + host, "projects = [\"acme/deploy\"]\nrefs = [\"v*\"]\nref_types = [\"tag\"]", []string{"refs"}},
		"any ref":       {"https://" + host, "projects = [\"acme/deploy\"]\nref_types = [\"branch\"]", []string{"refs"}},
		"protected":     {"https://" + host, exact + "protected = true", []string{"protected"}},
		"environment":   {"https://" + host, exact + `environments = ["alpha"]`, []string{"environments"}},
		"an hour":       {"https://" + host, exact + `duration = "1h"`, nil},
		"longer":        {"https://" + host, exact + `duration = "2h"`, []string{"duration"}},
		"loopback":      {"http://127.0.0.1:8080", exact, []string{"issuer", "issuer"}},
		"port":          {"https://" + host + ":8443", exact, []string{"issuer"}},
		"too long":      {"https://" + host, "projects = [" + long + "]\nrefs = [\"main\"]\nref_types = [\"branch\"]", []string{"document"}},
		"other letters": {"https://" + host, "projects = [\"acme/deploy\"]\nrefs = [\"łódź\"]\nref_types = [\"branch\"]", []string{"document"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := rules(newTrust(t, policyOf(t, c.issuer, c.rules)))
			got = slices.DeleteFunc(got, func(rule string) bool { return slices.Contains(always, rule) })
			if !slices.Equal(got, c.want) {
				t.Errorf("notes on %q, want %q", got, c.want)
			}
		})
	}
}

// claimsOf returns many jobs: some that a rule is for, and their neighbours.
func claimsOf() []tenant.Claims {
	var all []tenant.Claims
	projects := []string{"acme/deploy", "acme/deploy/x", "acme/infra/a", "acme/infra/a/b", "acme/infra", "Acme/deploy", "evil/acme/deploy", "acme/deployx", "acme/infra/a/live"}
	refs := []string{"main", "Main", "main/x", "x/main", "release/1", "release/1/2", "release", "releases/1", "hot/fix/main", "mainx"}
	for _, project := range projects {
		for _, job := range []string{project, "evil/parent", "acme/deploy"} {
			for _, ref := range refs {
				for _, kind := range []string{"branch", "tag"} {
					for _, more := range [][3]string{{"true", "alpha", "https://" + host}, {"false", "alpha", "https://" + host}, {"true", "", "https://" + host}, {"true", "beta", "https://" + host}, {"true", "alpha", "https://other"}} {
						all = append(all, tenant.Claims{
							Audience: []string{more[2]}, Project: project, JobProject: job, Ref: ref, RefType: kind, Protected: more[0], Environment: more[1],
						})
					}
				}
			}
		}
	}
	return all
}

// jobOf returns the job that has a token with these claims.
func jobOf(c tenant.Claims) tenant.Subject {
	return tenant.Subject{
		Pinned: "alpha", Project: c.JobProject, Protected: c.Protected == "true",
		Tokens: map[string]tenant.Claims{tenant.IDToken: c},
	}
}

// TestAgainstPolicy holds the trust policy, as IAM reads it, against the policy
// itself: what that allows IAM must allow, what IAM allows beyond a note must
// cover, and of each note on such there must be a case.
func TestAgainstPolicy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rules string
		wider []string
	}{
		"exact":          {`projects = ["acme/deploy"]` + "\n" + `refs = ["main"]` + "\n" + `ref_types = ["branch"]`, nil},
		"both types":     {`projects = ["acme/deploy", "acme/infra"]` + "\n" + `refs = ["main", "release/1"]` + "\n" + `ref_types = ["branch", "tag"]`, nil},
		"any ref":        {`projects = ["acme/deploy"]` + "\n" + `ref_types = ["branch"]`, nil},
		"one segment":    {`projects = ["acme/infra/*", "acme/deploy"]` + "\n" + `refs = ["main"]` + "\n" + `ref_types = ["branch"]`, []string{"projects"}},
		"any depth":      {`projects = ["acme/**"]` + "\n" + `refs = ["release/**"]` + "\n" + `ref_types = ["branch"]`, nil},
		"in the middle":  {`projects = ["acme/**/live"]` + "\n" + `refs = ["**/main"]` + "\n" + `ref_types = ["tag"]`, nil},
		"ref segment":    {`projects = ["acme/deploy"]` + "\n" + `refs = ["release/*"]` + "\n" + `ref_types = ["branch"]`, []string{"refs"}},
		"ref part":       {`projects = ["acme/deploy"]` + "\n" + `refs = ["main*"]` + "\n" + `ref_types = ["branch"]`, []string{"refs"}},
		"protected":      {`projects = ["acme/deploy"]` + "\n" + `refs = ["main"]` + "\n" + `protected = true` + "\n" + `ref_types = ["branch"]`, []string{"protected"}},
		"environment":    {`projects = ["acme/deploy"]` + "\n" + `refs = ["main"]` + "\n" + `environments = ["al*"]` + "\n" + `ref_types = ["branch"]`, []string{"environments"}},
		"all kinds":      {`projects = ["acme/*"]` + "\n" + `refs = ["release/*", "main"]` + "\n" + `environments = ["alpha"]` + "\n" + `protected = true`, []string{"projects", "refs", "protected", "environments"}},
		"every project":  {`projects = ["**"]` + "\n" + `refs = ["main"]` + "\n" + `ref_types = ["branch"]`, nil},
		"no ref types":   {`projects = ["acme/deploy"]` + "\n" + `refs = ["main"]`, nil},
		"nothing but it": {`projects = ["acme/deploy"]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := policyOf(t, "https://"+host, c.rules)
			result := newTrust(t, policy)
			document := readIAM(t, result.JSON())
			covered, witnessed, allowed := rules(result), map[string]bool{}, 0
			for _, claims := range claimsOf() {
				sub := "project_path:" + claims.Project + ":ref_type:" + claims.RefType + ":ref:" + claims.Ref
				byIAM := allows(document, "111122223333", claims.Audience[0], sub)
				grant, err := policy.Decide(jobOf(claims))
				byPolicy := err == nil && grant.Tenant == "alpha"
				if byPolicy {
					allowed++
				}
				if byPolicy && !byIAM {
					t.Errorf("the policy allows %+v, IAM does not", claims)
				}
				if byPolicy || !byIAM {
					continue
				}
				for _, rule := range against(policy, claims) {
					witnessed[rule] = true
					if !slices.Contains(covered, rule) {
						t.Errorf("IAM allows %+v, the policy's %s does not, and no note says so", claims, rule)
					}
				}
			}
			if allowed == 0 {
				t.Error("the policy allows none of the jobs: they test nothing")
			}
			for _, rule := range append(c.wider, "forks") {
				if !witnessed[rule] && name != "every project" { // where any project may run the job of any fork
					t.Errorf("no job shows that IAM is wider than %s", rule)
				}
			}
		})
	}
}

// against returns the rules that refuse a job, with forks for the rule on projects
// where it refuses the project that runs the job alone.
func against(policy *tenant.Policy, claims tenant.Claims) []string {
	var names []string
	own := claims
	own.JobProject = claims.Project
	for _, verdict := range policy.Explain(jobOf(claims)) {
		for _, rule := range verdict.Rules {
			if !rule.OK {
				names = append(names, rule.Name)
			}
		}
	}
	i := slices.Index(names, "projects")
	if i < 0 {
		return names
	}
	for _, verdict := range policy.Explain(jobOf(own)) {
		for _, rule := range verdict.Rules {
			if rule.Name == "projects" && rule.OK {
				names[i] = "forks"
			}
		}
	}
	return names
}

func TestRoleWithoutAccount(t *testing.T) {
	t.Parallel()
	policy := policyOf(t, "https://"+host, `projects = ["acme/deploy"]`+"\n"+`role_arn = "arn:minio:iam:::role/dummy-internal"`)
	_, err := trust.New("https://"+host, policy.Tenants()[0], "")
	if err == nil || !strings.Contains(err.Error(), "no account") {
		t.Errorf("%v, want an error on the account", err)
	}
}
