package policyfile_test

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant/policyfile"
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

// BenchmarkCompile compiles a policy file of one tenant, and one of 10,000.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		text := []byte(many(n))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := policyfile.Compile("p", text, grant.AWS{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
