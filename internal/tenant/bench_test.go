package tenant_test

import (
	"fmt"
	"testing"

	"rolecall/internal/tenant"
)

// many returns a policy of n tenants that differ in their projects only, each with
// some patterns to try.
func many(b *testing.B, n int) *tenant.Policy {
	b.Helper()
	tenants := make([]tenant.Tenant, n)
	for i := range tenants {
		tenants[i] = tenant.Tenant{
			Name: tenant.Name(fmt.Sprintf("team-%05d", i)), IDToken: tenant.IDToken, Audience: "https://gitlab.example.com",
			RefTypes: []string{"branch"}, Protected: true,
			Refs: []tenant.Pattern{parseRef(b, "main"), parseRef(b, "release/*")}, Environments: []tenant.Pattern{parseRef(b, "prod/*")},
		}
		for _, text := range []string{"acme/team-%05d/*", "acme/**/team-%05d", "acme/shared-%05d"} {
			tenants[i].Projects = append(tenants[i].Projects, parseRef(b, fmt.Sprintf(text, i)))
		}
	}
	return tenant.NewPolicy(tenant.Settings{}, tenants, "")
}

// lastJob is a job that the last of n tenants allows, and no other.
func lastJob(n int) tenant.Subject {
	return job("GITLAB_OIDC_TOKEN", alphaClaims(func(c *tenant.Claims) {
		c.Project = fmt.Sprintf("acme/team-%05d/deploy", n-1)
		c.JobProject, c.Environment = c.Project, "prod/eu"
	}))
}

// BenchmarkDecide decides over 10,000 tenants for a job that names none; the limit
// is 5 ms an operation.
func BenchmarkDecide(b *testing.B) {
	const n = 10_000
	policy, j := many(b, n), lastJob(n)
	b.ReportAllocs()
	for b.Loop() {
		if grant, err := policy.Decide(j); err != nil || grant.Tenant != "team-09999" {
			b.Fatal(grant, err)
		}
	}
}
