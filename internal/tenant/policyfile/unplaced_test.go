package policyfile_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant/policyfile"
)

// TestLoadUnplaced: a program that runs no scripts needs no unix users of tenants. The driver does,
// and all else is an error for both.
func TestLoadUnplaced(t *testing.T) {
	t.Parallel()
	two := minimal + strings.Replace(minimal[strings.Index(minimal, "[[tenant]]"):], "alpha", "beta", 1)
	path := writeFile(t, two, 0o600)
	policy, err := policyfile.LoadUnplaced(path, grant.AWS{})
	if err != nil || len(policy.Tenants()) != 2 {
		t.Errorf("%v", err)
	}
	if _, err := policyfile.Load(path, grant.AWS{}); err == nil || !strings.Contains(err.Error(), "run_as: it is missing, and there are other tenants") {
		t.Errorf("the driver: %v", err)
	}
	for _, wrong := range []string{"x = 1\n" + two, strings.Replace(two, "beta", "alpha", 1), two + "max_token_age = 1\n"} {
		if _, err := policyfile.LoadUnplaced(writeFile(t, wrong, 0o600), grant.AWS{}); err == nil || !strings.HasPrefix(err.Error(), "policy file: ") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// TestMaxTokenAge: a tenant, or all of them, bound how old a token is.
func TestMaxTokenAge(t *testing.T) {
	t.Parallel()
	policy := compile(t, minimal+"max_token_age = \"90m\"\n")
	if got := policy.Tenants()[0].MaxTokenAge; got != 90*time.Minute {
		t.Errorf("%v", got)
	}
	policy = compile(t, minimal+"[defaults]\nmax_token_age = \"1h\"\n")
	if got := policy.Tenants()[0].MaxTokenAge; got != time.Hour {
		t.Errorf("by default: %v", got)
	}
	if got := compile(t, minimal).Tenants()[0].MaxTokenAge; got != 0 {
		t.Errorf("of nobody: %v", got)
	}
	for _, value := range []string{`"0s"`, `"-1h"`, `"soon"`, `""`, `"90"`} {
		_, err := policyfile.Compile("p", []byte(minimal+"max_token_age = "+value+"\n"), grant.AWS{})
		if err == nil || !strings.HasPrefix(err.Error(), "p:8: ") || !strings.Contains(err.Error(), "max_token_age: ") || !strings.Contains(err.Error(), "want a duration above 0") {
			t.Errorf("%s: %v", value, err)
		}
	}
}
