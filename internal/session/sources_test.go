package session_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/session"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// sources returns the case of a job whose tenant has three roles, one of them by a chain, of
// the fake STS.
func sources(t *testing.T, path string, server *fakests.Server) admission.Case {
	t.Helper()
	text := fmt.Sprintf("audit_log = %q\n[gitlab]\nissuer = \"https://gitlab.example.com\"\n[sts]\nendpoint = %q\n", path, server.URL()) + `[[tenant]]
name = "alpha"
id_token = "TOKEN"
audience = "aud"
projects = ["acme/deploy"]
role_arn = "arn:aws:iam::111122223333:role/own"
region = "eu-west-1"
delivery = "endpoint"
[[tenant.source]]
name = "reader"
provider = "aws"
role_arn = "arn:aws:iam::444455556666:role/reader"
[[tenant.source]]
name = "far"
provider = "aws"
role_arn = "arn:aws:iam::444455556666:role/bridge"
[[tenant.source.chain]]
role_arn = "arn:aws:iam::777788889999:role/far"
tags = { project = "claim:project_path", ref = "claim:ref" }
source_identity = "claim:user_login"
`
	c := newCase(t, path)
	var err error
	c.Policy, err = policyfile.Compile("p", []byte(text), sts.NewProvider())
	kit.Must(t, err)
	c.Providers, c.ReadFile, c.CredentialProgram = []admission.Provider{sts.NewProvider()}, policyfile.ReadNamed, "/usr/libexec/rolecall/credential"
	c.Request = job.Request{"TOKEN": "main"}
	return c
}

// TestSources: a job gets a credential of each source, each with a line in the audit log that
// names the source and the role whose session the job has.
func TestSources(t *testing.T) {
	t.Parallel()
	server, err := fakests.Start()
	kit.Must(t, err)
	t.Cleanup(server.Close)
	path := newLog(t)
	set, err := opened(t, sources(t, path, server)).Issue(t.Context(), []session.Issuer{sts.NewProvider()}, func(s creds.Set) error { return s.Check() })
	kit.Must(t, err)
	if diff := cmp.Diff([]string{"AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1"}, set.Environ()); diff != "" || len(set) != 3 || len(set.Secrets()) != 9 {
		t.Errorf("%d credentials with %d secrets, the variables differ:\n%s", len(set), len(set.Secrets()), diff)
	}
	far := server.Requests()[3]
	if far.By != server.Requests()[2].Issued.AccessKeyID || far.Form.Get("Tags.member.1.Value") != "acme/deploy" || far.Form.Get("Tags.member.2.Value") != "main" || far.Form.Get("SourceIdentity") != "ann" {
		t.Errorf("the last request is signed by %q, with %v", far.By, far.Form)
	}
	var told []string
	for _, e := range lines(t, path)[1:] {
		told = append(told, strings.Join(append([]string{string(e.Event), e.Source, e.RoleARN, e.AccessKeyID}, e.Chain...), " "))
	}
	key := func(i int) string { return server.Requests()[i].Issued.AccessKeyID }
	if diff := cmp.Diff([]string{
		"issued  arn:aws:iam::111122223333:role/own " + key(0), "issued reader arn:aws:iam::444455556666:role/reader " + key(1),
		"issued far arn:aws:iam::777788889999:role/far " + key(3) + " arn:aws:iam::444455556666:role/bridge",
	}, told); diff != "" {
		t.Errorf("the audit log differs:\n%s", diff)
	}
}

// TestSourceFails: where one role of one source fails, the job gets nothing, and the error
// names the source.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	ok := fakests.OK(fakests.Credentials{})
	server, err := fakests.Start(ok, ok, ok, fakests.Error(http.StatusForbidden, "AccessDenied", "x"))
	kit.Must(t, err)
	t.Cleanup(server.Close)
	path := newLog(t)
	s := opened(t, sources(t, path, server))
	set, err := s.Issue(t.Context(), []session.Issuer{sts.NewProvider()}, func(creds.Set) error { t.Error("it is kept"); return nil })
	if set != nil || fault.CodeOf(err) != fault.AccessDenied || !strings.HasPrefix(err.Error(), `tenant "alpha", source "far": AWS refuses a role of the chain to the role before it`) {
		t.Errorf("%v, %v", set, err)
	}
	kit.Must(t, s.Failed(err))
	events := lines(t, path)
	if last := events[len(events)-1]; last.Event != audit.Failed || last.ErrorCode != "AccessDenied" || last.RoleARN != "arn:aws:iam::111122223333:role/own" {
		t.Errorf("the last line is %+v", last)
	}
}
