package session_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/session"
	"rolecall/internal/tenant"
	"rolecall/test/kit"
)

// masked masks the secret of these tests.
func masked(text string) string { return strings.ReplaceAll(text, secret, "[MASKED]") }

// voice fails where a session warns.
func voice(t *testing.T) session.Voice {
	t.Helper()
	return session.Voice{Program: "prepare", Warn: func(err error) { t.Errorf("warning: %v", err) }, Mask: masked}
}

// TestOpen: the audit log has a line for each decision about a job that has or wants a
// tenant, and none for other jobs.
func TestOpen(t *testing.T) {
	t.Parallel()
	allowed := of(audit.Event{
		Event: audit.Decision, Allowed: new(true), Tenant: "alpha", Rule: "projects acme/deploy; ref_types branch", RoleARN: "arn:role", RoleSessionName: "session-of-aws",
	}, "main", "branch")
	byRule := of(audit.Event{
		Event: audit.Decision, Allowed: new(false), Code: fault.Refused, Side: fault.Author, Tenant: "alpha", Rule: "ref_types", Reason: `tenant "alpha" refuses this job: rule ref_types: jobs of a ref of type "" are not allowed`,
	}, "x", "")
	overrides := of(audit.Event{Event: audit.Decision, Allowed: new(false), Code: fault.Override, Side: fault.Author, Tenant: "alpha", RoleARN: "arn:role", RoleSessionName: "session-of-aws"}, "main", "branch")
	overrides.Reason = "variables of the job would override its tenant's credentials: OVERRIDES; remove them where they are set: .gitlab-ci.yml, CI/CD settings of project or group, secrets:, a dotenv report of an earlier job; RC106 in docs/errors.md says more"
	unserved := of(audit.Event{Event: audit.Decision, Allowed: new(false), Code: fault.NoTenant, Side: fault.Author, Rule: "tenant"}, "main", "branch")
	unserved.Reason = "the job's variable TENANT is empty; set TENANT to the tenant, or leave it out; a variable of another one is empty where that one is not set, or is protected"
	unread := audit.Event{
		Event: audit.Decision, Allowed: new(false), Code: fault.NoKeys, Side: fault.Infrastructure, Reason: "no answer", JobID: "7", PipelineID: "9", JobProjectID: "42", JobProjectPath: "acme/deploy",
	}
	for name, test := range map[string]struct {
		change func(*admission.Case)
		want   []audit.Event
		err    string // empty: it is allowed
	}{
		"allowed":          {func(*admission.Case) {}, []audit.Event{allowed}, ""},
		"by a rule":        {func(c *admission.Case) { c.Request["TENANT"], c.Request["TOKEN"] = "alpha", "x" }, []audit.Event{byRule}, `tenant "alpha" refuses this job`},
		"unserved":         {func(c *admission.Case) { c.Request["TENANT"], c.Request["TOKEN"] = "", "main" }, []audit.Event{unserved}, ""},
		"an override":      {func(c *admission.Case) { c.Request["OVERRIDES"] = "" }, []audit.Event{overrides}, "variables of the job would override"},
		"nobody's mistake": {func(c *admission.Case) { c.Read = unreachable }, []audit.Event{unread}, "no answer"},
		"none":             {func(c *admission.Case) { delete(c.Request, "TOKEN") }, nil, ""},
		"none, and no log": {func(c *admission.Case) { delete(c.Request, "TOKEN"); c.Policy = nil }, nil, ""},
		"no log": {func(c *admission.Case) {
			c.Policy, c.Request = nil, map[string]string{"TENANT": "a", "GITLAB_OIDC_TOKEN": "main"}
		}, nil, ""},
		"no log, and refused": {func(c *admission.Case) { c.Policy, c.Request["TENANT"] = nil, "../x" }, nil, ""},
	} {
		path := newLog(t)
		c := newCase(t, path, aws())
		test.change(&c)
		s, err := session.Open(c, voice(t))
		if (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%s: error %v, want %q", name, err, test.err)
		}
		if err == nil && (s == nil || len(s.Orders) == 1 != (s.Grant.Tenant != "")) {
			t.Errorf("%s: %+v", name, s)
		}
		if diff := cmp.Diff(test.want, lines(t, path)); diff != "" {
			t.Errorf("%s: the audit log differs:\n%s", name, diff)
		}
	}
}

// unreachable reads no token, as a server does not answer.
func unreachable(string) (idtoken.Token, error) {
	return idtoken.Token{}, fault.New(fault.NoKeys, errors.New("no answer"), "")
}

// TestOpenWithoutLog: what cannot be told is not given, and a refusal stays one.
func TestOpenWithoutLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "audit")
	if _, err := session.Open(newCase(t, path, aws()), voice(t)); err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), "audit log "+path) {
		t.Errorf("a job that is allowed: %v, want an error of the admin's", err)
	}
	refused := newCase(t, path, aws())
	refused.Request["OVERRIDES"] = ""
	var warned []string
	_, err := session.Open(refused, session.Voice{Program: "prepare", Warn: func(err error) { warned = append(warned, err.Error()) }, Mask: masked})
	if err == nil || fault.SideOf(err) != fault.Author || !strings.HasPrefix(err.Error(), "variables of the job would override") {
		t.Errorf("a job that is refused: %v, want the refusal", err)
	}
	if len(warned) != 1 || !strings.HasPrefix(warned[0], "audit log "+path) {
		t.Errorf("the warnings are %q", warned)
	}
	none := newCase(t, path, aws())
	delete(none.Request, "TOKEN")
	if s, err := session.Open(none, voice(t)); err != nil || s.Grant.Tenant != "" {
		t.Errorf("a job of no tenant: %v", err)
	}
}

// opened opens a session that must be allowed.
func opened(t *testing.T, c admission.Case) *session.Session {
	t.Helper()
	s, err := session.Open(c, voice(t))
	kit.Must(t, err)
	return s
}

// TestIssue: each provider is asked once, for its own order, told of in the audit log,
// and what all give is kept once.
func TestIssue(t *testing.T) {
	t.Parallel()
	decision := audit.Event{Event: audit.Decision, Allowed: new(true), Tenant: "alpha", Rule: "projects acme/deploy; ref_types branch", RoleARN: "arn:role", RoleSessionName: "session-of-aws"}
	issued := decision
	issued.Event, issued.Provider, issued.AccessKeyID, issued.Expiration = audit.Issued, "aws", "KEY-aws", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	other := issued
	other.Provider, other.RoleARN, other.RoleSessionName, other.AccessKeyID = "vault", "", "session-of-vault", "KEY-vault"
	roleless := decision
	roleless.RoleARN, roleless.RoleSessionName = "", ""
	for name, test := range map[string]struct {
		providers []provider
		want      string
		lines     []audit.Event
	}{
		"no role":       {[]provider{vault()}, "VAULT=hunter2vault", []audit.Event{roleless, other}},
		"one":           {[]provider{aws()}, "AWS=hunter2aws", []audit.Event{decision, issued}},
		"two":           {[]provider{aws(), vault()}, "AWS=hunter2aws VAULT=hunter2vault", []audit.Event{decision, issued, other}},
		"in that order": {[]provider{vault(), aws()}, "VAULT=hunter2vault AWS=hunter2aws", []audit.Event{decision, other, issued}},
	} {
		path := newLog(t)
		var kept []creds.Set
		got, err := opened(t, newCase(t, path, test.providers...)).Issue(t.Context(), issuers(vault(), aws()), func(set creds.Set) error {
			kept = append(kept, set)
			return nil
		})
		if err != nil || strings.Join(got.Environ(), " ") != test.want || len(kept) != 1 || strings.Join(kept[0].Environ(), " ") != test.want {
			t.Errorf("%s: %q, kept %d times, %v, want %s", name, got.Environ(), len(kept), err, test.want)
		}
		for i := range test.lines {
			test.lines[i] = of(test.lines[i], "main", "branch")
			if test.lines[i].Event == audit.Issued {
				test.lines[i].DurationMS = 1
			}
		}
		if diff := cmp.Diff(test.lines, lines(t, path)); diff != "" {
			t.Errorf("%s: the audit log differs:\n%s", name, diff)
		}
	}
}

// TestIssueFails: where a part fails nothing is given, and the audit log has what was
// issued by then.
func TestIssueFails(t *testing.T) {
	t.Parallel()
	failing := vault()
	failing.err = fault.New(fault.BadPolicy, errors.New("the server refuses"), "correct it")
	full := fault.New(fault.NoKeys, errors.New("no room"), "")
	for name, test := range map[string]struct {
		first, second provider
		issuers       []session.Issuer
		keep          error
		want          string
		side          fault.Side
		issued        string // the keys in the audit log
		kept          int
	}{
		"the first":  {failing, aws(), issuers(aws(), failing), nil, `tenant "alpha": the server refuses; correct it`, fault.Admin, "", 0},
		"the second": {aws(), failing, issuers(aws(), failing), nil, `tenant "alpha": the server refuses; correct it`, fault.Admin, "KEY-aws", 0},
		"no issuer":  {aws(), vault(), issuers(aws()), nil, `tenant "alpha": this program does not know the servers of provider vault; install all programs of one version`, fault.Admin, "KEY-aws", 0},
		"keep":       {aws(), vault(), issuers(aws(), vault()), full, "no room", fault.Infrastructure, "KEY-aws KEY-vault", 1},
	} {
		path, kept := newLog(t), 0
		_, err := opened(t, newCase(t, path, test.first, test.second)).Issue(context.Background(), test.issuers, func(creds.Set) error {
			kept++
			return test.keep
		})
		if err == nil || fault.SideOf(err) != test.side || !strings.HasPrefix(err.Error(), test.want) || kept != test.kept {
			t.Errorf("%s: error %v of %s, kept %d times, want %q of %s", name, err, fault.SideOf(err), kept, test.want, test.side)
		}
		var keys []string
		for _, e := range lines(t, path)[1:] {
			keys = append(keys, e.AccessKeyID)
		}
		if got := strings.Join(keys, " "); got != test.issued {
			t.Errorf("%s: the audit log says that %q were issued, want %q", name, got, test.issued)
		}
	}
}

// TestTrail: later stages know the log and the job.
func TestTrail(t *testing.T) {
	t.Parallel()
	path := newLog(t)
	c := newCase(t, path, aws())
	c.Policy = tenant.NewPolicy(tenant.Settings{AuditLog: path, MetricsFile: "/m.prom"}, c.Policy.Tenants(), "5f37")
	trail, err := opened(t, c).Trail()
	kit.Must(t, err)
	if trail.Metrics != "/m.prom" {
		t.Errorf("the file of metrics is %q", trail.Metrics)
	}
	kit.Must(t, os.Remove(path))
	kit.Must(t, trail.Tell(audit.Ended, "prepare", func(*audit.Event) {}))
	want := of(audit.Event{Event: audit.Ended, Tenant: "alpha", RoleARN: "arn:role", RoleSessionName: "session-of-aws"}, "main", "branch")
	if diff := cmp.Diff([]audit.Event{want}, lines(t, path)); diff != "" {
		t.Errorf("the audit log differs:\n%s", diff)
	}
}

// TestIssueWithoutLog: a credential that the audit log cannot be told of is not given,
// and no other is asked for.
func TestIssueWithoutLog(t *testing.T) {
	t.Parallel()
	path, second := newLog(t), vault()
	s := opened(t, newCase(t, path, aws(), second))
	kit.Must(t, os.Chmod(path, 0o622))
	set, err := s.Issue(t.Context(), issuers(aws(), second), func(creds.Set) error {
		t.Error("it is kept")
		return nil
	})
	if set != nil || err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), "audit log "+path) || *second.asked != 0 {
		t.Errorf("%v, %v, the second was asked %d times, want an error of the admin's", set, err, *second.asked)
	}
}
