package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/state"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// audited makes a job of a tenant whose record leads to an audit log, and returns the log's
// path.
func (p place) audited(t *testing.T, tenant string, l state.Lease) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	trail, err := audit.NewTrail(path, audit.Event{JobID: "7", Tenant: tenant})
	kit.Must(t, err)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: tenant, Lease: l, Audit: trail}, p.builds)
	kit.Must(t, err)
	f.Close()
	return path
}

// told returns what the audit log at path says after a job was told of, without what lies
// before the tenant and from the beginning of the job on.
func told(t *testing.T, path string, e state.Ended, kind audit.Kind, problem error) string {
	t.Helper()
	kit.Must(t, e.Tell(kind, map[audit.Kind]string{audit.Ended: "run", audit.Removed: "sweep"}[kind], problem))
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	kit.Must(t, err)
	auditlog.Check(t, content)
	_, line, _ := strings.Cut(string(content), `"event":`)
	line, _, _ = strings.Cut(line, `,"host"`)
	_, rest, _ := strings.Cut(string(content), `"program":`)
	rest, _, _ = strings.Cut(rest, `,"began"`)
	return line + " " + rest
}

// TestEnded: who finishes a job first can tell of it, and nobody else; a job without
// credentials is not told of.
func TestEnded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	path := p.audited(t, "alpha", state.Lease{})
	first, err := state.Finish(t.Context(), p.root, key(7), nil, nil)
	kit.Must(t, err)
	again, err := state.Finish(t.Context(), p.root, key(7), nil, nil)
	kit.Must(t, err)
	if first.ID != 7 || first.Tenant != "alpha" || again.Tenant != "" {
		t.Errorf("%+v, then %+v", first, again)
	}
	kit.Must(t, again.Tell(audit.Ended, "run", nil))
	want := `"ended" "run","version":"0.1.0","code":"RC506","side":"infrastructure","tenant":"alpha"`
	if got := told(t, path, first, audit.Ended, fault.New(fault.Interrupted, errors.New("the runner is gone"), "")); got != want {
		t.Errorf("the audit log has %s, want %s", got, want)
	}
	path = p.audited(t, "", state.Lease{})
	none, err := state.Finish(t.Context(), p.root, key(7), nil, nil)
	kit.Must(t, err)
	if got := told(t, path, none, audit.Ended, nil); none.ID != 7 || got != "" {
		t.Errorf("without a tenant: %+v, %s", none, got)
	}
}

// TestEndedOnce: of those who finish a job at once, one can tell of it.
func TestEndedOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for range 50 {
		_ = p.audited(t, "alpha", state.Lease{})
		var tell atomic.Int32
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				ended, err := state.Finish(t.Context(), p.root, key(7), nil, nil)
				if err != nil {
					t.Errorf("one of eight: %v", err)
				}
				if ended.Tenant != "" {
					tell.Add(1)
				}
			})
		}
		group.Wait()
		if tell.Load() != 1 {
			t.Fatalf("%d of eight can tell", tell.Load())
		}
	}
}

// TestEndedInPart: a job whose processes live is told of once by Finish, and once more by
// the Sweep that removes it.
func TestEndedInPart(t *testing.T) {
	r := newReaped(t)
	for i, want := range []string{"alpha", "", ""} {
		r.do = func() error { return errors.New("it lives") }
		ended, err := state.Finish(t.Context(), r.root, key(7), r.reap, nil)
		if err == nil || ended.Tenant != want {
			t.Errorf("time %d: %+v, %v, want a job of tenant %q", i+1, ended, err, want)
		}
	}
	r.do = func() error { return nil }
	if swept, err := state.Sweep(t.Context(), r.root, r.reap, nil); err != nil || len(swept) != 1 || swept[0].Tenant != "alpha" {
		t.Errorf("Sweep: %+v, %v", swept, err)
	}
}

// TestRemoved: Sweep and Clear tell of the dead job that they remove, and of nothing else.
func TestRemoved(t *testing.T) {
	want := `"removed" "sweep","version":"0.1.0","tenant":"alpha"`
	for name, remove := range map[string]func(p place, tell state.Tell) error{
		"Sweep": func(p place, tell state.Tell) error {
			_, err := state.Sweep(t.Context(), p.root, nil, tell)
			return err
		},
		"Clear": func(p place, tell state.Tell) error { return state.Clear(p.root, key(7), tell) },
	} {
		p := newPlace(t)
		path := p.audited(t, "alpha", deadLease(t))
		calls := 0
		for range 2 {
			kit.Must(t, remove(p, func(e state.Ended, err error) {
				calls++
				if _, statErr := os.Stat(filepath.Join(p.folder(7), "removed.json")); statErr != nil || err != nil {
					t.Errorf("%s: it is told when the record is gone: %v, %v", name, statErr, err)
				}
				if got := told(t, path, e, audit.Removed, nil); got != want {
					t.Errorf("%s: the audit log has %s, want %s", name, got, want)
				}
			}))
		}
		if p.gone(t, 7); calls != 1 {
			t.Errorf("%s tells %d times", name, calls)
		}
	}
}
