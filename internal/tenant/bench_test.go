package tenant_test

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/tenant"
)

// many returns a policy file of n tenants that differ in their projects only, each
// with some patterns to try.
func many(n int) string {
	var b strings.Builder
	b.WriteString("shared_user = \"unsafe\"\n[gitlab]\nissuer = \"https://gitlab.example.com\"\n")
	for i := range n {
		fmt.Fprintf(&b, `[[tenant]]
name = "team-%05d"
role_arn = "arn:aws:iam::111122223333:role/deploy-team-%05[1]d"
audience = "https://gitlab.example.com"
projects = ["acme/team-%05[1]d/*", "acme/**/team-%05[1]d", "acme/shared-%05[1]d"]
refs = ["main", "release/*"]
protected = true
environments = ["prod/*"]
allowed_accounts = ["111122223333"]
`, i)
	}
	return b.String()
}

// lastJob is a job that the last of n tenants allows, and no other.
func lastJob(n int) tenant.Job {
	return job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) {
		c.Project = fmt.Sprintf("acme/team-%05d/deploy", n-1)
		c.JobProject, c.Environment = c.Project, "prod/eu"
	}))
}

// BenchmarkDecide decides over 10,000 tenants for a job that names none; the limit
// is 5 ms an operation.
func BenchmarkDecide(b *testing.B) {
	const n = 10_000
	policy, j := compile(b, many(n)), lastJob(n)
	b.ReportAllocs()
	for b.Loop() {
		if grant, err := policy.Decide(j); err != nil || grant.Tenant != "team-09999" {
			b.Fatal(grant, err)
		}
	}
}

// BenchmarkCompile compiles a policy file of one tenant, and one of 10,000.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		text := []byte(many(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tenant.Compile("p", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
