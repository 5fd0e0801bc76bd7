package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// reaped is a job of a backend, and what its Reap is to do.
type reaped struct {
	place
	t     *testing.T
	calls int
	do    func() error
}

// newReaped makes job 7 of the backend toy, whose runner has died.
func newReaped(t *testing.T) *reaped {
	t.Helper()
	r := &reaped{place: newPlace(t), t: t, do: func() error { return nil }}
	record := state.Record{Tenant: "alpha", Lease: deadLease(t), Backend: "toy", Data: json.RawMessage(`{"n":1}`)}
	f, err := state.Create(r.root, key(7), record, r.builds)
	kit.Must(t, err)
	f.Close()
	kit.Must(t, os.WriteFile(r.env(7), credentials().EnvFile(), 0o600))
	kit.Must(t, os.WriteFile(r.issued(7), credentials().EnvFile(), 0o600))
	return r
}

// reap is a state.Reap that checks what it is told.
func (r *reaped) reap(_ context.Context, backend string, data json.RawMessage, id job.ID) error {
	r.calls++
	if backend != "toy" || string(data) != `{"n":1}` || id != 7 {
		r.t.Errorf("reaps job %s of %q with %s", id, backend, data)
	}
	return r.do()
}

// ends are the two ways to finish a job. Sweep passes by a folder that is locked, and
// a child that another test forks holds the lock for a moment: so a test of both runs
// alone.
func (r *reaped) ends() map[string]func() error {
	return map[string]func() error{
		"Finish": func() error { _, err := state.Finish(r.t.Context(), r.root, key(7), r.reap, nil); return err },
		"Sweep":  func() error { _, err := state.Sweep(r.t.Context(), r.root, r.reap, nil); return err },
	}
}

// TestOver: a stage that still has the folder learns that another process ends the job,
// before its processes are reaped.
func TestOver(t *testing.T) {
	r := newReaped(t)
	f, err := state.Open(r.root, key(7))
	kit.Must(t, err)
	defer f.Close()
	if f.Over() {
		t.Error("the job has ended before its end")
	}
	r.do = func() error {
		if !f.Over() {
			t.Error("the job has not ended when its processes are reaped")
		}
		return nil
	}
	_, err = state.Finish(t.Context(), r.root, key(7), r.reap, nil)
	kit.Must(t, err)
	if !f.Over() || r.calls != 1 {
		t.Errorf("the job has not ended after its end, or was reaped %d times", r.calls)
	}
}

// TestFinish: what runs is ended while its credentials are still there.
func TestFinish(t *testing.T) {
	for _, way := range []string{"Finish", "Sweep"} {
		r := newReaped(t)
		r.do = func() error { _, err := os.Stat(r.env(7)); return err }
		if err := r.ends()[way](); err != nil || r.calls != 1 {
			t.Errorf("%s: %v after %d calls", way, err, r.calls)
		}
		r.gone(t, 7)
		if err := r.ends()[way](); err != nil || r.calls != 1 {
			t.Errorf("%s again: %v after %d calls", way, err, r.calls)
		}
	}
}

// TestFinishFails: where the job cannot be reaped the secrets go and the record
// stays, also for a Sweep of a job whose runner lives. The next one tries again.
func TestFinishFails(t *testing.T) {
	for name, do := range map[string]func() error{
		"process 9 stays": func() error { return errors.New("process 9 stays") },
		"panic: out":      func() error { panic("out") },
	} {
		for _, way := range []string{"Finish", "Sweep"} {
			r := newReaped(t)
			r.do = do
			for range 2 {
				err := r.ends()[way]()
				wantError(t, way, err, "the credentials of job 7 are removed, but its processes cannot be killed: "+name)
				r.noSecret(t)
				if entries, err := os.ReadDir(r.folder(7)); err != nil || len(entries) != 1 || entries[0].Name() != "removed.json" {
					t.Errorf("%s: left %v, %v, want the record", way, entries, err)
				}
			}
			_, err := state.Open(r.root, key(7))
			wantError(t, "Open", err, "the job has ended")
			r.do = func() error { return nil }
			if got, err := state.Sweep(t.Context(), r.root, r.reap, nil); err != nil || len(got) != 1 || r.calls != 3 {
				t.Errorf("Sweep removed %v, %v after %d calls", got, err, r.calls)
			}
			r.gone(t, 7)
		}
	}
}

// TestFinishLives: who finishes a job does not ask its lease, and the Sweep after a
// Finish that failed does not either.
func TestFinishLives(t *testing.T) {
	t.Parallel()
	r := newReaped(t)
	r.record(t, 7, func(record map[string]any) { record["lease"] = newLease(t, os.Getpid()) })
	r.sweep(t)
	r.do = func() error { return errors.New("no") }
	wantError(t, "Finish", r.ends()["Finish"](), "no")
	r.do = func() error { return nil }
	if got, err := state.Sweep(t.Context(), r.root, r.reap, nil); err != nil || len(got) != 1 {
		t.Errorf("Sweep removed %v, %v", got, err)
	}
	r.gone(t, 7)
}

// TestFinishAtOnce: ten at once leave nothing and report nothing.
func TestFinishAtOnce(t *testing.T) {
	t.Parallel()
	r := newReaped(t)
	reap := func(context.Context, string, json.RawMessage, job.ID) error { return nil }
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if _, err := state.Finish(t.Context(), r.root, key(7), reap, nil); err != nil {
				t.Errorf("one of ten: %v", err)
			}
		})
	}
	group.Wait()
	r.gone(t, 7)
}

// TestFinishNothing: without a root, a job or a backend nothing is reaped, and
// nothing is made. A job of another server is neither reaped nor removed.
func TestFinishNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	finish := func(k job.Key) error { _, err := state.Finish(t.Context(), p.root, k, noReap(t), nil); return err }
	kit.Must(t, finish(key(7)))
	if left, err := os.ReadDir(p.dir); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v", left, err)
	}
	p.write(t, 7)
	kit.Must(t, finish(key(8)))
	kit.Must(t, finish(key(7)))
	p.gone(t, 7)
	f, err := state.Create(p.root, job.Key{ID: 7, Proof: "a"}, state.Record{Backend: "toy"}, "")
	kit.Must(t, err)
	f.Close()
	wantError(t, "Finish", finish(job.Key{ID: 7, Proof: "b"}), "belongs to a job of another GitLab server, and is left unchanged")
}

// TestReadable: a stage works with its version and the one before, but with none
// before 3.
func TestReadable(t *testing.T) {
	t.Parallel()
	for own, want := range map[int][]int{2: nil, 3: {3}, 4: {3, 4}, 5: {4, 5}, 9: {8, 9}} {
		var got []int
		for version := range 12 {
			if state.Readable(version, own) {
				got = append(got, version)
			}
		}
		if len(got) != len(want) || len(want) > 0 && (got[0] != want[0] || got[len(got)-1] != own) {
			t.Errorf("version %d works with %v, want %v", own, got, want)
		}
	}
}

// TestVersion2: no stage works with a job of version 2, nor takes it from who does;
// Finish and Sweep end it, its cgroup first.
func TestVersion2(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"Finish", "Sweep"} {
		r := newReaped(t)
		r.record(t, 7, func(record map[string]any) {
			delete(record, "backend")
			delete(record, "data")
			record["version"], record["cgroup"], record["user"] = 2, "/sys/fs/cgroup/x", map[string]any{"uid": 61001}
		})
		_, opened := state.Open(r.root, key(7))
		_, created := state.Create(r.root, key(7), state.Record{}, "")
		for what, err := range map[string]error{"Open": opened, "Create": created} {
			wantError(t, what, err, filepath.Join(r.folder(7), "job.json")+": the job was prepared by an older version of rolecall; let the runners finish")
			if fault.SideOf(err) != fault.Admin {
				t.Errorf("%s: side %s", what, fault.SideOf(err))
			}
		}
		var told []string
		reap := func(_ context.Context, backend string, data json.RawMessage, _ job.ID) error {
			told = append(told, backend, string(data))
			return nil
		}
		err := error(nil)
		if way == "Sweep" {
			_, err = state.Sweep(t.Context(), r.root, reap, nil)
		} else {
			_, err = state.Finish(t.Context(), r.root, key(7), reap, nil)
		}
		if got := strings.Join(told, " "); err != nil || got != `host {"cgroup":"/sys/fs/cgroup/x"}` {
			t.Errorf("%s: %v, reaps %s", way, err, got)
		}
		r.gone(t, 7)
	}
}
