package broker_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"rolecall/internal/suspension"
	"rolecall/test/kit"
)

// suspend suspends tenants, at once.
func (w *world) suspend(list ...suspension.Suspension) {
	w.t.Helper()
	kit.Must(w.t, suspension.Beside(w.policy()).Change(func(suspension.List) (suspension.List, error) { return list, nil }))
}

// TestSuspended: a tenant that is suspended gets nothing from the next request on, whatever is kept
// for it. The sessions of others stay the same.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	alpha, beta := w.token(7, nil), w.token(8, map[string]any{"project_path": "acme/other", "job_project_path": "acme/other"})
	first, other := w.ask("/v1/aws/alpha", alpha).keyOf(t), w.ask("/v1/aws/beta", beta).keyOf(t)
	w.suspend(suspension.Suspension{Tenant: "alpha", Since: time.Now(), Reason: "a leak"})
	for _, path := range []string{"/v1/aws/alpha", "/v1/aws/alpha/audit", "/v1/aws"} {
		w.settled(path, alpha).refused(t, path, 403, "RC351", `tenant "alpha" is suspended since `)
	}
	if again := w.settled("/v1/aws/beta", beta).keyOf(t); again != other {
		t.Error("beta has another session")
	}
	w.suspend()
	if later := w.settled("/v1/aws/alpha", alpha).keyOf(t); later == first {
		t.Error("the session of before is given again")
	}
	got := w.audited()
	slices.Sort(got)
	want := []string{"decision alpha", "decision alpha RC351", "decision beta", "issued alpha", "issued beta", "withdrawn alpha RC351"}
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
}

// TestAllSuspended: with all tenants, or a file that cannot be read, nobody gets anything. A
// suspension ends when its time has come.
func TestAllSuspended(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	w.ask("/v1/aws/alpha", token).keyOf(t)
	w.suspend(suspension.Suspension{All: true, Since: time.Now(), Until: time.Now().Add(time.Hour)})
	w.settled("/v1/aws/alpha", token).refused(t, "all", 403, "RC351", "all tenants are suspended since ")
	w.suspend(suspension.Suspension{All: true, Since: time.Now(), Until: time.Now().Add(2 * time.Second)})
	kit.Await(t, "the end", func() bool { return w.settled("/v1/aws/alpha", token).status == 200 })
	kit.Must(t, os.WriteFile(suspension.Beside(w.policy()).Path, []byte("{"), 0o600))
	w.settled("/v1/aws/alpha", token).refused(t, "broken", 500, "RC352", "it is not known which tenants are suspended")
}
