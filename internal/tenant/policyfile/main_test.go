package policyfile_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// minimal is the least policy file, of 7 lines.
const minimal = `[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/a"
audience = "aud"
projects = ["acme/x"]
`

// example is a whole policy file.
func example(t testing.TB) string {
	t.Helper()
	content, err := os.ReadFile("testdata/rolecall.toml")
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

// given returns what a tenant gives of AWS alone, or how to reach its server.
func given(settings any) []tenant.Gift {
	return []tenant.Gift{{Provider: aws.Name, Settings: settings}}
}

// texts returns patterns as they are written.
func texts(patterns []tenant.Pattern) string {
	var all []string
	for _, p := range patterns {
		all = append(all, p.String())
	}
	return strings.Join(all, " ")
}

// refused compiles a policy that must be wrong and returns the lines of the error.
func refused(t *testing.T, text string) []string {
	t.Helper()
	policy, err := policyfile.Compile("/etc/p.toml", []byte(text), grant.AWS{})
	if err == nil || policy != nil {
		t.Fatalf("Compile = %v, %v, want an error, of:\n%s", policy, err, text)
	}
	lines := strings.Split(err.Error(), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, "/etc/p.toml:") || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
			t.Errorf("no FILE:LINE: in %q", line)
		}
		if strings.Contains(line, "struct") || strings.Contains(line, "secret") {
			t.Errorf("the line tells too much: %q", line)
		}
	}
	return lines
}
