package admission_test

import (
	"errors"
	"strings"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// policy is of two tenants with tokens of their own.
const policy = `shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[defaults]
role_arn = "arn:aws:iam::111122223333:role/a"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
[[tenant]]
name = "alpha"
[[tenant]]
name = "beta"
id_token = "BETA"
`

// response is what GitLab sent of job 7 of project 42.
var response = job.Response{
	Key: job.Key{ID: 7}, Project: 42, ProjectPath: "acme/deploy", Protected: true,
	Variables: []job.Variable{{Key: "BETA", Value: "beta"}, {Key: "TWICE", Value: "a"}, {Key: "TWICE", Value: "b"}},
}

// reader reads a token whose text is the id of its job.
func reader(err error) admission.Reader {
	return func(raw string) (identity.Token, error) {
		var t identity.Token
		t.Claims.JobID, t.Claims.ProjectID, t.Claims.Ref = "7", "42", raw
		if raw == "another job's" {
			t.Claims.JobID = "8"
		}
		return t, err
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	unreachable := fault.New(fault.Infrastructure, errors.New("no answer"), "wait")
	over := fault.New(fault.Author, errors.New("it is over"), "run the job again")
	for name, test := range map[string]struct {
		variable, raw string
		read          error
		side          fault.Side
		want          string
	}{
		"two values":          {"TWICE", "b", nil, fault.Author, "TWICE has two different values; remove the CI/CD variable"},
		"another job's":       {"BETA", "another job's", nil, fault.Author, `BETA is no ID token of this job: its claim job_id is "8"`},
		"no token":            {"BETA", "x", errors.New("it is none"), fault.Author, "BETA is no ID token of this job: it is none; let id_tokens: set it"},
		"a reason of its own": {"BETA", "x", over, fault.Author, "BETA is no ID token of this job: it is over; run the job again"},
		"nobody's mistake":    {"BETA", "x", unreachable, fault.Infrastructure, "no answer; wait"},
	} {
		_, err := admission.Token(test.variable, response, job.Request{test.variable: test.raw}, reader(test.read))
		if err == nil || fault.SideOf(err) != test.side || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v: %v, want %v: %q", name, fault.SideOf(err), err, test.side, test.want)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	rules, err := tenant.Compile("p", []byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	request := job.Request{"GITLAB_OIDC_TOKEN": "one", "BETA": "two", "OTHER": "another job's", "AWS_DEFAULT_REGION": "eu-west-1"}
	c, err := admission.New(rules, "", response, request, reader(nil))
	if err != nil || len(c.Tokens) != 2 || c.Job.Tokens["GITLAB_OIDC_TOKEN"].Ref != "one" || c.Job.Tokens["BETA"].Ref != "two" {
		t.Errorf("%+v, %v, want the tokens of both tenants and no other", c.Job, err)
	}
	if c.Project != "acme/deploy" || !c.Protected || c.Region != "eu-west-1" || c.Requested != "" {
		t.Errorf("%+v", c.Job)
	}
	request["TENANT"] = "beta"
	if c, err = admission.New(rules, "", response, request, reader(nil)); err != nil || len(c.Tokens) != 1 || c.Requested != "beta" {
		t.Errorf("%+v, %v, want the token of the tenant asked for alone", c.Job, err)
	}
	request["BETA"] = "another job's"
	if _, err = admission.New(rules, "", response, request, reader(nil)); err == nil {
		t.Error("a token of another job is taken")
	}
	if c, err = admission.New(rules, "alpha", response, request, reader(nil)); err != nil || len(c.Tokens) != 1 {
		t.Errorf("%+v, %v: of a runner of alpha the token of beta is nobody's business", c.Job, err)
	}
	delete(request, "GITLAB_OIDC_TOKEN")
	if c, err = admission.New(rules, "alpha", response, request, reader(nil)); err != nil || len(c.Tokens) != 0 {
		t.Errorf("%+v, %v, want no token", c.Job, err)
	}
}

// TestOverridesAreSeenInBoth: a variable may be in what GitLab sent, in what the
// runner passes, or both.
func TestOverridesAreSeenInBoth(t *testing.T) {
	t.Parallel()
	sent := job.Response{Variables: []job.Variable{{Key: "AWS_PROFILE"}, {Key: "AWS_REGION"}}}
	err := admission.CheckOverrides(sent, job.Request{"AWS_ACCESS_KEY_ID": "x", "AWS_PROFILE": "y", "ROLECALL_ENV_FILE": "z"})
	if err == nil || fault.SideOf(err) != fault.Author || !strings.Contains(err.Error(), "credentials: AWS_ACCESS_KEY_ID, AWS_PROFILE, ROLECALL_ENV_FILE; remove") {
		t.Errorf("error %v", err)
	}
	if err := admission.CheckOverrides(job.Response{}, job.Request{"AWS_REGION": "eu-west-1"}); err != nil {
		t.Error(err)
	}
}
