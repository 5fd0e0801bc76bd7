package admin_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
)

// decidedAs returns the decision about a job of the world, which had a ref.
func (w *world) decidedAs(ref string, fill func(*audit.Event)) func(*audit.Event) {
	return func(e *audit.Event) {
		e.Allowed, e.Rule, e.Issuer, e.Ref = new(true), "projects acme/deploy; refs "+ref, w.gitlab.Issuer(), ref
		e.ProjectPath, e.JobProjectPath = "acme/deploy", "acme/deploy"
		if fill != nil {
			fill(e)
		}
	}
}

// TestPast: explain says of a job in the audit log what was decided, and what today's policy file
// would decide by what the log has of the job; and what the log does not have.
func TestPast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	no := func(e *audit.Event) {
		e.Allowed, e.Rule, e.Code, e.Side, e.Reason = new(false), "refs", "RC103", "author", "tenant \"alpha\" refuses this job"
	}
	path := logOf(t,
		line(t, "60", 0, audit.Decision, w.decidedAs("main", nil))+
			line(t, "61", 0, audit.Decision, w.decidedAs("main", no))+
			line(t, "62", 0, audit.Decision, w.decidedAs("dev", nil))+
			line(t, "63", 0, audit.Decision, w.decidedAs("main", func(e *audit.Event) { e.Issuer = "https://other.example.com" })),
		line(t, "64", 0, audit.Decision, w.decidedAs(evil, no))+
			line(t, "65", 0, audit.Decision, w.decidedAs("", func(e *audit.Event) { no(e); e.ProjectPath, e.Tenant = "", "" }))+
			line(t, "66", 0, audit.Masked, nil)+
			line(t, "67", 0, audit.Decision, w.decidedAs("feature/"+strings.Repeat("x", 200)+"…", nil))+
			line(t, "68", 0, audit.Decision, w.decidedAs("main", func(e *audit.Event) { e.Tenant = "" }))+
			line(t, "60", time.Minute, audit.Decision, w.decidedAs("main", func(e *audit.Event) { e.Issuer = "https://other.example.com" })),
	)
	flags := w.asked(t, path)
	for id, want := range map[string]struct {
		code int
		says []string
	}{
		"61": {0, []string{"then            got nothing [RC103 author]: tenant ", "today allowed: tenant alpha, role arn:aws:iam::111122223333:role/deploy-alpha", "signature: no token was verified now", "not known: whether it asked for tenant \"alpha\" by TENANT", "not known: claims: namespace_id, pipeline_source\n", "not known: variables that would override"}},
		"62": {1, []string{"then            allowed: tenant alpha, by projects acme/deploy; refs dev\n", "today refused [author]: tenant \"alpha\" refuses this job: rule refs", `refs          main, release/*             "dev"  `}},
		"63": {1, []string{"today refused [author]: the ID token is of \"https://other.example.com\", and the policy file trusts "}},
		"60": {1, []string{"60 of " + w.gitlab.Issuer(), "60 of https://other.example.com", "today allowed", "today refused"}},
		"64": {1, []string{`today refused [author]: tenant "alpha" refuses this job: rule refs`}},
		"65": {1, []string{"not known: what would be decided today: the log has no claims of an ID token of the job"}},
		"66": {1, []string{"not known: the log has no decision about the job"}},
		"67": {1, []string{"not known: ref as a whole: the log has its beginning"}},
		"68": {0, []string{"not known: whether it asked for a tenant by TENANT: taken to have asked for none", "today allowed: tenant alpha"}},
		"69": {1, []string{"the log has no line about job 69\n", "the log goes back to "}},
	} {
		var p struct {
			Jobs []struct{ Today *struct{ Allowed bool } }
		}
		got := askWide(t, path, &p, append([]string{"explain", "--job-id", id}, flags...)...)
		for _, says := range want.says {
			if text := strings.ReplaceAll(got.out, `\"`, `"`); got.code != want.code || !strings.Contains(text, says) {
				t.Errorf("job %s: exit code %d, want %d, and %q in\n%s%s", id, got.code, want.code, says, text, got.errors)
			}
		}
		if allowed := len(p.Jobs) > 0 && p.Jobs[0].Today != nil && p.Jobs[0].Today.Allowed; allowed != strings.Contains(got.out, "today allowed") {
			t.Errorf("job %s: %+v\n%s", id, p, got.out)
		}
	}
	for args, says := range map[string]string{
		"--job-id 60 --project a/b": "--job-id and --project contradict each other", "--job-id 60 --job x": "--job and --job-id contradict each other",
		"--log x": "name the job by --job-id", "--job-id 60 --no-policy": "contradict each other", "--job-id 60 --runner-tenant A": "tenant name",
	} {
		if got := run("", append([]string{"explain"}, append(strings.Fields(args), flags...)...)...); got.code != 2 || !strings.Contains(got.errors, says) {
			t.Errorf("explain %s: %s", args, fmt.Sprint(got))
		}
	}
}
