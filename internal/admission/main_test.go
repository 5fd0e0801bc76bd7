package admission_test

import (
	"errors"
	"maps"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

// policy is of two tenants with tokens of their own.
const policy = `shared_user = "unsafe"
builds_dir = "/b"
cache_dir = "/c"
[gitlab]
issuer = "https://gitlab.example.com"
[defaults]
role_arn = "arn:aws:iam::111122223333:role/a"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
refs = ["one", "two"]
[[tenant]]
name = "alpha"
[[tenant]]
name = "beta"
id_token = "BETA"
`

// compile compiles a policy that must be right.
func compile(t *testing.T, text string) *tenant.Policy {
	t.Helper()
	p, err := policyfile.Compile("p", []byte(text), grant.AWS{})
	kit.Must(t, err)
	return p
}

// read reads a token whose text is its ref, or says which job it is of.
func read(raw string) (idtoken.Token, error) {
	var t idtoken.Token
	t.Claims = idtoken.Claims{
		JobID: "7", ProjectID: "42", ProjectPath: "acme/deploy", JobProjectPath: "acme/deploy",
		Audience: []string{"https://gitlab.example.com"}, Ref: raw, RefType: "branch", RefProtected: "true",
	}
	if raw == "another job's" {
		t.Claims.JobID = "8"
	}
	return t, nil
}

// failing reads tokens as read does, beside an error.
func failing(err error) admission.Reader {
	return func(raw string) (idtoken.Token, error) {
		t, _ := read(raw)
		return t, err
	}
}

// newCase returns the case of job 7 of project 42, which alpha allows by its token.
func newCase(t *testing.T, request job.Request) admission.Case {
	t.Helper()
	all := job.Request{"GITLAB_OIDC_TOKEN": "one"}
	maps.Copy(all, request)
	return admission.Case{
		Policy:    compile(t, policy),
		WorkDir:   "/b/alpha/protected/acme/deploy.tmp",
		Response:  job.Response{Key: job.Key{ID: 7}, Project: 42, ProjectPath: "acme/deploy", Protected: true},
		Request:   all,
		Read:      read,
		Providers: []admission.Provider{grant.AWS{}},
		ReadFile:  policyfile.ReadNamed,
	}
}

// refused decides about a case that must be refused, and returns what is known of it.
func refused(t *testing.T, name string, c admission.Case) (admission.Decision, *fault.Error) {
	t.Helper()
	d, err := admission.Decide(c)
	if err == nil {
		t.Errorf("%s: allowed: %+v", name, d.Grant)
		return d, &fault.Error{What: errors.New("no error")}
	}
	return d, &fault.Error{Code: fault.CodeOf(err), What: err}
}

// vary sets a variable in what GitLab sent and in what the runner passes.
func vary(c *admission.Case, name, sent, passed string) {
	c.Response.Variables = append(c.Response.Variables, job.Variable{Key: name, Value: sent})
	c.Request[name] = passed
}
