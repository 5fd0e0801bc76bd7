package prepare_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
)

// TestQuota: a job that asks for too many credentials after others is a system failure, which
// the runner tries again; no server is asked, and the audit log has why.
func TestQuota(t *testing.T) {
	t.Parallel()
	h := newHost(t, newGitLab(t))
	h.edit(t, "rolecall.toml", "[[tenant]]\n", "[defaults]\nmax_requests_per_minute = 2\n[[tenant]]\n")
	for i, code := range []int{0, 0, 2} {
		c := newCall(t, h)
		got := c.serve()
		if got.code != code || len(h.cloud.asked) != min(i+1, 2) {
			t.Fatalf("try %d: %+v, the provider was asked %d times", i+1, got, len(h.cloud.asked))
		}
		if code == 0 {
			continue
		}
		for _, want := range []string{"[RC508]: too many credentials were asked for in a minute; let jobs", `  limit      2 a minute, for tenant "alpha" and project 42 on this host`, "  try again  in "} {
			if !strings.Contains(got.log, want) {
				t.Errorf("%s\nwant %q", got.log, want)
			}
		}
		events := c.events(t)
		if diff := cmp.Diff([]audit.Event{failed(fault.TooMany)}, events[len(events)-1:]); diff != "" {
			t.Errorf("the audit log differs:\n%s", diff)
		}
	}
}
