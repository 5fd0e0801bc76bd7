package session_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/session"
	"rolecall/test/kit"
)

// TestResume: of a job that had credentials only a refusal is told, as withdrawn, and what it gets
// anew is a renewal.
func TestResume(t *testing.T) {
	t.Parallel()
	path := newLog(t)
	s, err := session.Resume(newCase(t, path, aws()), voice(t))
	kit.Must(t, err)
	if len(s.Orders) != 1 || len(lines(t, path)) != 0 {
		t.Errorf("%d orders, and the audit log has %+v", len(s.Orders), lines(t, path))
	}
	_, err = s.Issue(t.Context(), issuers(aws()), func(creds.Set) error { return nil })
	kit.Must(t, err)
	if got := lines(t, path); len(got) != 1 || got[0].Event != audit.Renewed || got[0].AccessKeyID != "KEY-aws" {
		t.Errorf("the audit log has %+v", got)
	}
	refused := of(audit.Event{
		Event: audit.Withdrawn, Allowed: new(false), Code: fault.Refused, Side: fault.Author, Tenant: "alpha", Rule: "ref_types", Reason: `tenant "alpha" refuses this job: rule ref_types: jobs of a ref of type "" are not allowed`,
	}, "x", "")
	for name, test := range map[string]struct {
		change func(*admission.Case)
		code   fault.Code
		want   []audit.Event
	}{
		"by a rule": {func(c *admission.Case) { c.Request["TENANT"], c.Request["TOKEN"] = "alpha", "x" }, fault.Refused, []audit.Event{refused}},
		"no tenant": {func(c *admission.Case) { c.Request["TENANT"] = "" }, fault.NoTenant, []audit.Event{of(audit.Event{
			Event: audit.Withdrawn, Allowed: new(false), Code: fault.NoTenant, Side: fault.Author, Rule: "tenant",
			Reason: "the job's variable TENANT is empty; set TENANT to the tenant, or leave it out; a variable of another one is empty where that one is not set, or is protected",
		}, "main", "branch")}},
	} {
		path := newLog(t)
		c := newCase(t, path, aws())
		test.change(&c)
		if _, err := session.Resume(c, voice(t)); fault.CodeOf(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, lines(t, path)); diff != "" {
			t.Errorf("%s: the audit log differs:\n%s", name, diff)
		}
	}
}

// TestResumeWithoutLog: a refusal that cannot be told is one all the same.
func TestResumeWithoutLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "audit")
	c := newCase(t, path, aws())
	c.Request["TENANT"], c.Request["TOKEN"] = "alpha", "x"
	var warned []fault.Code
	_, err := session.Resume(c, session.Voice{Program: "prepare", Warn: func(err error) { warned = append(warned, fault.CodeOf(err)) }, Mask: masked})
	if fault.CodeOf(err) != fault.Refused || len(warned) != 1 || warned[0] != fault.BadAuditLog {
		t.Errorf("%v, warnings %q", err, warned)
	}
}

// TestVoice: the lines name whom the session serves, and go to the log of the voice.
func TestVoice(t *testing.T) {
	t.Parallel()
	path := newLog(t)
	v := voice(t)
	v.Client, v.Log = "10.0.0.7", path
	_, err := session.Open(newCase(t, filepath.Join(t.TempDir(), "none", "audit"), aws()), v)
	kit.Must(t, err)
	if got := lines(t, path); len(got) != 1 || got[0].Client != "10.0.0.7" {
		t.Errorf("the audit log has %+v", got)
	}
}
