package policyfile_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/image"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// FuzzCompile holds that no bytes make the compiler panic, that an error tells file
// and line, and that what compiles is a policy which can be written down again.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		example(f), minimal, "", "\xff", "[", "[[", "[[tenant]]", "tenant=[{}]", "a=", "'''", "\"\"\"", "[a.b.c]\n[a]", "x=1979-05-27T07:32:00Z",
		minimal + "refs=[[[[", minimal + "\"refs\"=['x','y' # z\n]", minimal + "[defaults]\nprotected=true\nrefs=['**']", "gitlab.issuer='https://a'\n[[tenant]]",
		podman + "network='none'\n[defaults]\nimages=['r.example.com/**']\nimage_users=['']", minimal + "[containers]\nengine='none'",
		minimal + "id_token='A'\nduration='1h'\npolicy_arns=['arn:aws:iam::aws:policy/x']", "[[tenant]]\n[tenant]\n[[tenant.x]]\ny={z=1}", "\ufeff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		policy, err := policyfile.Compile("p", content, grant.AWS{})
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
		if diff := cmp.Diff(policy.Settings(), again.Settings(), emptyIsNil()); diff != "" {
			t.Errorf("written down and compiled again, the settings differ:\n%s", diff)
		}
	})
}

// emptyIsNil takes a list that is empty for one that is not there.
func emptyIsNil() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b []string) bool { return slices.Equal(a, b) }),
		cmp.Comparer(func(a, b []image.Pattern) bool { return slices.Equal(a, b) }),
	}
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
		if got.Audience == "" || got.IDToken == "" || len(got.Projects) == 0 || len(got.RefTypes) == 0 || len(got.Gifts) != 1 {
			t.Errorf("a tenant lacks something: %+v", got)
		}
		checkAWS(t, got)
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

// checkAWS holds what is so of what a tenant gives of AWS.
func checkAWS(t *testing.T, one tenant.Tenant) {
	t.Helper()
	got, ok := grant.Of(one.Gifts)
	if role, err := aws.ParseRole(got.Role.String()); !ok || err != nil || role != got.Role {
		t.Errorf("the role %+v: %v", got.Role, err)
	}
	if len(got.AllowedAccounts) > 0 && !slices.Contains(got.AllowedAccounts, got.Role.Account) {
		t.Errorf("the account of %s is not among %s", got.Role, got.AllowedAccounts)
	}
	if len(got.PolicyARNs) > 10 || !aws.IsRegion(got.Region) {
		t.Errorf("a region or policies that AWS does not take: %+v", got)
	}
	if got.Duration != 0 && (got.Duration < 15*time.Minute || got.Duration > 12*time.Hour) {
		t.Errorf("the duration is %v", got.Duration)
	}
}

// write writes a policy file.
func write(s tenant.Settings, tenants []tenant.Tenant) string {
	var b strings.Builder
	sts := grant.ServerOf(s)
	for _, line := range [][2]string{
		{"builds_dir", s.BuildsDir},
		{"cache_dir", s.CacheDir},
		{"credentials_dir", s.CredentialsDir},
		{"audit_log", s.AuditLog},
		{"run_as", s.RunAs},
		{"run_as_root", map[bool]string{true: "unsafe"}[s.RunAsRoot]},
		{"shared_user", map[bool]string{true: "unsafe"}[s.SharedUser]},
		{"contact", s.Contact},
		{"home", map[bool]string{true: "passwd"}[s.PasswdHome]},
		{"home_skeleton", s.HomeSkeleton},
		{"unknown_tenant", map[bool]string{true: "none", false: "refuse"}[s.UnknownNone]},
		{"metadata", map[bool]string{true: "allow"}[s.Metadata]},
		{"gitlab.issuer", s.GitLab.Issuer},
		{"gitlab.jwks_url", s.GitLab.JWKSURL},
		{"gitlab.jwks_file", s.GitLab.JWKSFile},
		{"gitlab.ca_bundle", s.GitLab.CABundle},
		{"sts.endpoint", sts.Endpoint},
		{"sts.proxy", sts.Proxy},
		{"sts.ca_bundle", sts.CABundle},
		{"gate.foreign_keys", s.Gate.ForeignKeys},
		{"gate.incomplete", map[bool]string{true: "warn", false: "refuse"}[s.Gate.Warn]},
		{"gate.max_duration", s.Gate.MaxDuration.String()},
	} {
		fmt.Fprintf(&b, "%s = %s\n", line[0], quoted(line[1]))
	}
	b.WriteString(containersOf(s))
	fmt.Fprintf(&b, "gate.max_files = %d\ngate.max_bytes = %d\n", s.Gate.MaxFiles, s.Gate.MaxBytes)
	fmt.Fprintf(&b, "[defaults]\nmax_open_files = %d\nmax_processes = %d\nmax_memory = %d\n", s.Limits.OpenFiles, s.Limits.Processes, s.Limits.Memory)
	b.WriteString(imagesOf(s, s.Images))
	for _, t := range tenants {
		of, _ := grant.Of(t.Gifts)
		fmt.Fprintf(&b, "[[tenant]]\nname = %q\nrole_arn = %s\naudience = %s\nid_token = %q\nregion = %q\nprotected = %v\nrequired = %v\n",
			t.Name, quoted(of.Role.String()), quoted(t.Audience), t.IDToken, of.Region, t.Protected, t.Required)
		fmt.Fprintf(&b, "max_open_files = %d\nmax_processes = %d\nmax_memory = %d\n", t.Limits.OpenFiles, t.Limits.Processes, t.Limits.Memory)
		fmt.Fprintf(&b, "run_as = %q\nsession_policy_file = %s\nduration = %q\n", t.RunAs, quoted(of.SessionPolicyFile), map[bool]string{true: of.Duration.String()}[of.Duration > 0])
		b.WriteString(imagesOf(s, t.Images))
		for key, list := range map[string][]string{
			"projects": strings.Fields(texts(t.Projects)), "refs": strings.Fields(texts(t.Refs)), "ref_types": t.RefTypes,
			"allowed_accounts": of.AllowedAccounts, "policy_arns": of.PolicyARNs, "environments": environments(t),
		} {
			if len(list) > 0 {
				fmt.Fprintf(&b, "%s = [%s]\n", key, quoted(list...))
			}
		}
	}
	return b.String()
}

// containersOf writes what a policy file says of containers, at its top.
func containersOf(s tenant.Settings) string {
	c := s.Containers
	if c.Engine.Name == "" {
		return fmt.Sprintf("unused_services = %q\n", map[bool]string{true: "refuse", false: "warn"}[s.RefuseServices])
	}
	return fmt.Sprintf("containers.engine = %s\ncontainers.images_dir = %s\ncontainers.network = %q\ncontainers.pull_time = %q\n",
		quoted(c.Engine.Name), quoted(c.Engine.ImagesDir), c.Engine.Network, c.Engine.PullTime) +
		fmt.Sprintf("containers.max_services = %d\ncontainers.wait_for_services = %q\ncontainers.default_image = %q\ncontainers.require_image = %v\ncontainers.images_max_bytes = %d\n",
			c.MaxServices, c.Engine.WaitForServices, c.DefaultImage, c.RequireImage, c.ImagesMaxBytes)
}

// imagesOf writes rules of images.
func imagesOf(s tenant.Settings, r image.Rules) string {
	if s.Containers.Engine.Name == "" {
		return ""
	}
	text := fmt.Sprintf("digest_only = %v\ndocker_auth_config = %v\nimages = [%s]\nservices = [%s]\n", r.DigestOnly, r.AuthConfig, listed(r.Images), listed(r.Services))
	if len(r.Users) > 0 {
		text += fmt.Sprintf("image_users = [%s]\n", listed(r.Users))
	}
	if len(r.Policies) > 0 {
		text += fmt.Sprintf("pull_policies = [%s]\n", listed(r.Policies))
	}
	return text
}

// listed returns texts as the elements of a list of TOML.
func listed[T ~string](all []T) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, string(one))
	}
	return quoted(texts...)
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
