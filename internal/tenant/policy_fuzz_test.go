package tenant_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/tenant"
)

// FuzzCompile holds that no bytes make the compiler panic, that an error tells file
// and line, and that what compiles is a policy which can be written down again.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		example(f), shared, minimal, "", "\xff", "[", "[[", "[[tenant]]", "tenant=[{}]", "a=", "'''", "\"\"\"", "[a.b.c]\n[a]", "x=1979-05-27T07:32:00Z",
		minimal + "refs=[[[[", minimal + "\"refs\"=['x','y' # z\n]", minimal + "[defaults]\nprotected=true\nrefs=['**']", "gitlab.issuer='https://a'\n[[tenant]]",
		minimal + "id_token='A'\nduration='1h'\npolicy_arns=['arn:aws:iam::aws:policy/x']", "[[tenant]]\n[tenant]\n[[tenant.x]]\ny={z=1}", "\ufeff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		policy, err := tenant.Compile("p", content)
		if (err == nil) != (policy != nil) {
			t.Fatalf("Compile = %v, %v, want one of them", policy, err)
		}
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				var number int
				if _, err := fmt.Sscanf(line, "p:%d: ", &number); err != nil || number < 1 || number > 1+strings.Count(string(content), "\n") {
					t.Errorf("no line of the file in %q", line)
				}
			}
			return
		}
		tenants := policy.Tenants()
		checkTenants(t, tenants)
		again := compile(t, write(policy.Settings(), tenants))
		if diff := cmp.Diff(tenants, again.Tenants(), byText(), emptyIsNil()); diff != "" {
			t.Errorf("written down and compiled again, the tenants differ:\n%s", diff)
		}
		if diff := cmp.Diff(policy.Settings(), again.Settings()); diff != "" {
			t.Errorf("written down and compiled again, the settings differ:\n%s", diff)
		}
	})
}

// emptyIsNil takes a list that is empty for one that is not there.
func emptyIsNil() cmp.Option {
	return cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) })
}

// checkTenants holds what is so of the tenants of every policy.
func checkTenants(t *testing.T, tenants []tenant.Tenant) {
	t.Helper()
	names := map[tenant.Name]bool{}
	for _, got := range tenants {
		_, err := tenant.ParseName(string(got.Name))
		if err != nil || got.Name == "none" || names[got.Name] {
			t.Errorf("the name %q: %v", got.Name, err)
		}
		names[got.Name] = true
		if role, err := aws.ParseRole(got.Role.String()); err != nil || role != got.Role {
			t.Errorf("the role %+v: %v", got.Role, err)
		}
		if len(got.AllowedAccounts) > 0 && !slices.Contains(got.AllowedAccounts, got.Role.Account) {
			t.Errorf("the account of %s is not among %s", got.Role, got.AllowedAccounts)
		}
		if got.Audience == "" || got.IDToken == "" || len(got.Projects) == 0 || len(got.RefTypes) == 0 || len(got.PolicyARNs) > 10 {
			t.Errorf("a tenant lacks something: %+v", got)
		}
		if got.Duration != 0 && (got.Duration < 15*time.Minute || got.Duration > 12*time.Hour) {
			t.Errorf("the duration is %v", got.Duration)
		}
		for _, p := range slices.Concat(got.Projects, got.Refs, got.Environments) {
			if p.Match("") || p.Match("/") || p.Match("a/../b") || p.Match("a\n") {
				t.Errorf("%q matches what none may match", p)
			}
			if value := strings.ReplaceAll(strings.ReplaceAll(p.String(), "**", "x/y"), "*", "z"); !p.Match(value) && len(value) <= 1024 {
				t.Errorf("%q does not match %q", p, value)
			}
		}
	}
}

// write writes a policy file.
func write(s tenant.Settings, tenants []tenant.Tenant) string {
	var b strings.Builder
	for _, line := range [][2]string{
		{"builds_dir", s.BuildsDir},
		{"cache_dir", s.CacheDir},
		{"credentials_dir", s.CredentialsDir},
		{"audit_log", s.AuditLog},
		{"run_as", s.RunAs},
		{"shared_user", map[bool]string{true: "unsafe"}[s.SharedUser]},
		{"gitlab.issuer", s.GitLab.Issuer},
		{"gitlab.jwks_url", s.GitLab.JWKSURL},
		{"gitlab.jwks_file", s.GitLab.JWKSFile},
		{"gitlab.ca_bundle", s.GitLab.CABundle},
		{"sts.endpoint", s.STS.Endpoint},
		{"sts.proxy", s.STS.Proxy},
		{"sts.ca_bundle", s.STS.CABundle},
		{"gate.incomplete", map[bool]string{true: "warn", false: "refuse"}[s.Gate.Warn]},
		{"gate.max_duration", s.Gate.MaxDuration.String()},
	} {
		fmt.Fprintf(&b, "%s = %s\n", line[0], quoted(line[1]))
	}
	fmt.Fprintf(&b, "gate.max_bytes = %d\n", s.Gate.MaxBytes)
	for _, t := range tenants {
		fmt.Fprintf(&b, "[[tenant]]\nname = %q\nrole_arn = %s\naudience = %s\nid_token = %q\nregion = %q\nprotected = %v\nrequired = %v\n",
			t.Name, quoted(t.Role.String()), quoted(t.Audience), t.IDToken, t.Region, t.Protected, t.Required)
		fmt.Fprintf(&b, "max_open_files = %d\nmax_processes = %d\nmax_memory = %d\n", t.Limits.OpenFiles, t.Limits.Processes, t.Limits.Memory)
		fmt.Fprintf(&b, "run_as = %q\nsession_policy_file = %s\nduration = %q\n", t.RunAs, quoted(t.SessionPolicyFile), map[bool]string{true: t.Duration.String()}[t.Duration > 0])
		for key, list := range map[string][]string{
			"projects": strings.Fields(texts(t.Projects)), "refs": strings.Fields(texts(t.Refs)), "ref_types": t.RefTypes,
			"allowed_accounts": t.AllowedAccounts, "policy_arns": t.PolicyARNs, "environments": environments(t),
		} {
			if len(list) > 0 {
				fmt.Fprintf(&b, "%s = [%s]\n", key, quoted(list...))
			}
		}
	}
	return b.String()
}

// environments returns the patterns of environments, which may have spaces in them.
func environments(t tenant.Tenant) (all []string) {
	for _, p := range t.Environments {
		all = append(all, p.String())
	}
	return all
}

// quoted returns texts as TOML's.
func quoted(texts ...string) string {
	var all []string
	for _, text := range texts {
		all = append(all, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"`)
	}
	return strings.Join(all, ", ")
}

// FuzzDecide holds decisions against an oracle that is written down naively.
func FuzzDecide(f *testing.F) {
	for _, seed := range [][9]string{
		{"", "", "https://gitlab.example.com", "acme/deploy", "acme/deploy", "main", "branch", "true", "alpha"},
		{"", "alpha", "https://gitlab.example.com", "acme/infra/x", "", "release/1", "branch", "true", "alpha"},
		{"alpha", "alpha", "https://gitlab.example.com", "eve/deploy", "acme/deploy", "main", "branch", "true", "alpha"},
		{"beta", "", "beta", "beta/x", "beta/x", "v1", "tag", "false", ""},
		{"", "", "beta", "beta/x", "beta/x", "v1", "tag", "false", ""},
		{"", "", "beta", "beta/x/y", "beta/x/y", "v1", "tag", "false", ""},
		{"", "beta-prod", "beta,x", "beta/x", "beta/x", "v1", "tag", "True", "x"},
		{"must", "beta", "must-aud", "must/x", "must/x", "release/../main", "branch", "true", "alpha"},
		{"", "", "must-aud", "must/x", "must/../x", "main/x", "branch", "true", "alpha"},
		{"eve", "", "", "", "", "", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7], seed[8], uint8(7))
	}
	policy := compile(f, shared)
	tenants := policy.Tenants()
	f.Fuzz(func(t *testing.T, pinned, requested, audience, project, jobProject, ref, refType, protected, environment string, which uint8) {
		c := tenant.Claims{
			Audience: strings.Split(audience, ","), Project: project, JobProject: jobProject,
			Ref: ref, RefType: refType, Protected: protected, Environment: environment,
		}
		j := tenant.Job{Pinned: tenant.Name(pinned), Requested: requested, Tokens: map[string]tenant.Claims{}}
		for i, name := range []string{"GITLAB_OIDC_TOKEN", "BETA_TOKEN", "MUST_TOKEN"} {
			if which>>i&1 == 1 {
				j.Tokens[name] = c
			}
		}
		if which&8 != 0 {
			j.Project = project
		}
		var allowing []tenant.Name
		for _, one := range tenants {
			named := (pinned == "" || pinned == string(one.Name)) && (requested == "" || requested == string(one.Name))
			if _, has := j.Tokens[one.IDToken]; has && named && oracleAllows(one, j, c) {
				allowing = append(allowing, one.Name)
			}
		}
		grant, err := policy.Decide(j)
		granted := err == nil && grant.Tenant != tenant.None
		if want := len(allowing) == 1; granted != want || granted && grant.Tenant != allowing[0] {
			t.Errorf("the oracle allows %q, Decide gives %+v, %v for %+v", allowing, grant, err, j)
		}
		if granted && grant.Protected != (protected == "true") {
			t.Errorf("Protected is %v for %q", grant.Protected, protected)
		}
		if err != nil && strings.Contains(strings.SplitN(err.Error(), "; add to the job", 2)[0], "\n") {
			t.Errorf("the refusal has lines: %q", err)
		}
		for i, v := range policy.Explain(j) {
			_, has := j.Tokens[tenants[i].IDToken]
			if want := has && oracleAllows(tenants[i], j, c); v.Allows != want {
				t.Errorf("Explain: %+v, the oracle says %v", v, want)
			}
		}
	})
}

// oracleAllows says whether a tenant allows a job with a token of those claims.
func oracleAllows(one tenant.Tenant, j tenant.Job, c tenant.Claims) bool {
	match := func(patterns []tenant.Pattern, value string) bool {
		for _, p := range patterns {
			if oracleMatch(p.String(), value) {
				return true
			}
		}
		return false
	}
	runs := c.JobProject
	if runs == "" {
		runs = c.Project
	}
	return strings.Join(c.Audience, ",") == one.Audience && match(one.Projects, c.Project) && match(one.Projects, runs) &&
		(j.Project == "" || j.Project == runs) && slices.Contains(one.RefTypes, c.RefType) &&
		(len(one.Refs) == 0 || match(one.Refs, c.Ref)) && (!one.Protected || c.Protected == "true") &&
		(len(one.Environments) == 0 || match(one.Environments, c.Environment))
}
