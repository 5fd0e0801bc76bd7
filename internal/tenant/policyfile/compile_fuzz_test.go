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
		minimal + "delivery='endpoint'\nrenew_before='2m'\n[[tenant.chain]]\nrole_arn='arn:aws:iam::111122223333:role/b'\n" + audit + "profile=false\n" + hop + "tags={a='claim:ref', b='c'}\ntransitive=['b']\nexternal_id='xy'",
		strings.Replace(minimal, "role_arn", "renew_before='3m'\nallowed_accounts=['444455556666', '777788889999']\n#", 1) + audit + hop + "source_identity='claim:user_login'",
		minimal + local, minimal + bucket + "region='eu-west-1'\n", minimal + audit + "[tenant.handover]\nsource='audit'\nprefix='a/b'\n" + bucket + "source='x'",
		minimal + kv + "seal_key_files=['/k']", minimal + "[[tenant.handover]]\n[tenant.handover.x]\n",
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

// emptyIsNil takes a list that is empty for one that is not there. A renew_before of all
// tenants cannot be written for a tenant that does not use it.
func emptyIsNil() cmp.Option {
	return cmp.Options{
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Renew" }, cmp.Ignore()),
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
		if got.Audience == "" || got.IDToken == "" || len(got.Projects) == 0 || len(got.RefTypes) == 0 || len(got.Gifts) == 0 {
			t.Errorf("a tenant lacks something: %+v", got)
		}
		for _, given := range grant.All(got.Gifts) {
			checkAWS(t, given.Settings)
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

// checkAWS holds what is so of what a tenant gives of AWS.
func checkAWS(t *testing.T, got grant.Settings) {
	t.Helper()
	if role, err := aws.ParseRole(got.Role.String()); err != nil || role != got.Role {
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
