package suspension_test

import (
	"os"
	"testing"
	"time"

	"rolecall/internal/suspension"
	"rolecall/test/kit"
)

// TestWatch: the state changes with each suspension, with the end of one, and with a file that
// cannot be read; else it stays the same.
func TestWatch(t *testing.T) {
	t.Parallel()
	f := newFile(t, "")
	w := suspension.NewWatch(f)
	seen := map[string]bool{}
	another := func(name string) {
		t.Helper()
		state := w.State()
		if seen[state] || w.State() != state {
			t.Errorf("%s: the state is %q, again, or changes", name, state)
		}
		seen[state] = true
	}
	if another("nobody"); !seen[""] {
		t.Error("nobody is suspended, and the state is not empty")
	}
	suspend(t, f, "alpha")
	another("alpha")
	suspend(t, f, "beta")
	another("beta too")
	kit.Must(t, os.WriteFile(f.Path, []byte("{"), 0o600))
	another("a broken file")
	kit.Must(t, os.Remove(f.Path))
	if w.State() != "" {
		t.Error("nobody is suspended any more")
	}
}

// TestWatchEnd: a suspension ends for a watch when its time has come, though no file has changed.
func TestWatchEnd(t *testing.T) {
	t.Parallel()
	f := newFile(t, "")
	kit.Must(t, f.Change(func(l suspension.List) (suspension.List, error) {
		return l.With(suspension.Suspension{Tenant: "alpha", Since: since(), Until: time.Now().Add(time.Second)}), nil
	}))
	w := suspension.NewWatch(f)
	kit.Await(t, "the end", func() bool { return w.State() == "" })
}

// TestWatchRights: a file whose folder others can write to is found within seconds.
func TestWatchRights(t *testing.T) {
	t.Parallel()
	f := newFile(t, "")
	suspend(t, f, "alpha")
	w := suspension.NewWatch(f)
	before := w.State()
	dir := f.Path[:len(f.Path)-len("/suspended.json")]
	kit.Must(t, os.Chmod(dir, 0o777))
	kit.Await(t, "an error", func() bool { return w.State() != before })
}

// BenchmarkRefuse: what a stage pays where nobody is suspended.
func BenchmarkRefuse(b *testing.B) {
	f := suspension.File{Path: b.TempDir() + "/suspended.json"}
	for b.Loop() {
		if err := f.Refuse("alpha"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkState: what a request to the broker pays where nobody is suspended.
func BenchmarkState(b *testing.B) {
	w := suspension.NewWatch(suspension.File{Path: b.TempDir() + "/suspended.json"})
	for b.Loop() {
		if w.State() != "" {
			b.Fatal("somebody is suspended")
		}
	}
}
