package tenant_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// example is a whole policy file.
func example(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile("policyfile/testdata/rolecall.toml")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// compile compiles a policy that must be right.
func compile(t testing.TB, text string) *tenant.Policy {
	t.Helper()
	policy, err := policyfile.Compile("policy.toml", []byte(text), grant.AWS{})
	if err != nil {
		t.Fatalf("Compile: %v\nof:\n%s", err, text)
	}
	return policy
}

// byText compares patterns by their texts.
func byText() cmp.Option {
	return cmp.Comparer(func(a, b tenant.Pattern) bool { return a.String() == b.String() })
}

// gifts returns what a tenant gives that has those settings of AWS.
func gifts(s grant.Settings) []tenant.Gift {
	return []tenant.Gift{{Provider: aws.Name, Settings: s}}
}

// parseRef returns a pattern of refs that must be right.
func parseRef(t testing.TB, text string) tenant.Pattern {
	t.Helper()
	p, err := tenant.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
