package admin_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
)

// TestLongJob: of a job with thousands of renewals the first lines and the last ones are shown, and how
// many are not. Its last decision counts, wherever that stands.
func TestLongJob(t *testing.T) {
	t.Parallel()
	const renewals, decidedAgain = 3000, 1500
	w := newWorld(t)
	var log strings.Builder
	log.WriteString(line(t, "70", 0, audit.Decision, w.decidedAs("dev", nil)))
	for i := range renewals {
		if i == decidedAgain {
			log.WriteString(line(t, "70", time.Duration(i)*time.Minute, audit.Decision, w.decidedAs("main", nil)))
		}
		log.WriteString(line(t, "70", time.Duration(i)*time.Minute, audit.Renewed, w.decidedAs("main", issuedAs("ASIAK", "session"))))
	}
	log.WriteString(line(t, "70", renewals*time.Minute, audit.Ended, func(e *audit.Event) { e.Issuer = w.gitlab.Issuer() }))
	path := logOf(t, log.String(), "")
	var told struct {
		Jobs []struct {
			Events []audit.Event
			More   int
		}
	}
	got := askWide(t, path, &told, append([]string{"job", "70"}, w.asked(t, path)...)...)
	if len(told.Jobs) != 1 || len(told.Jobs[0].Events) != 1000 || told.Jobs[0].More != renewals+3-1000 || told.Jobs[0].Events[999].Event != audit.Ended {
		t.Errorf("%d jobs: %.300s", len(told.Jobs), got.out)
	}
	lines := strings.Split(got.out, "\n")
	gap := 0
	for i, text := range lines {
		if text == "... 2003 lines between are not shown" {
			gap = i
		}
	}
	begun, ended := strings.Index(got.out, "allowed: tenant alpha"), strings.Index(got.out, "ended, by ")
	if gap == 0 || begun < 0 || ended < begun || strings.Contains(strings.Join(lines[gap:], "\n"), "allowed:") {
		t.Errorf("the gap is in line %d, the first decision at %d, the end at %d:\n%.2000s", gap, begun, ended, got.out)
	}
	var past struct {
		Jobs []struct{ Decided struct{ Rule string } }
	}
	askWide(t, path, &past, append([]string{"explain", "--job-id", "70"}, w.asked(t, path)...)...)
	if len(past.Jobs) != 1 || !strings.HasSuffix(past.Jobs[0].Decided.Rule, "refs main") {
		t.Errorf("explain: %+v", past)
	}
}
