package state_test

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// hold makes a job whose stage keeps its folder locked, and does nothing more.
func (p place) hold(t *testing.T, lease state.Lease) *state.Folder {
	t.Helper()
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Lease: lease}, p.builds)
	kit.Must(t, err)
	t.Cleanup(f.Close)
	kit.Must(t, os.WriteFile(p.issued(7), []byte("secret"), 0o600))
	return f
}

// sweptAt checks which jobs a Sweep at a later time removes.
func (p place) sweptAt(t *testing.T, later time.Duration, want ...job.ID) {
	t.Helper()
	if got, err := state.SweepAt(p.root, later); err != nil || !slices.Equal(got, want) {
		t.Errorf("after %v Sweep removes %v, %v, want %v", later, got, err, want)
	}
}

// TestSweepHung: a stage whose runner has died has half a minute to end its job, from the
// first Sweep on. Then its job is ended though the stage lives, and the stage sees that.
func TestSweepHung(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.hold(t, deadLease(t))
	p.sweptAt(t, time.Hour)
	p.sweptAt(t, 25*time.Second)
	if f.Over() {
		t.Error("the job is over too early")
	}
	p.sweptAt(t, 35*time.Second, 7)
	if !f.Over() {
		t.Error("the stage does not see the end of its job")
	}
	p.gone(t, 7)
	if err := f.Write(credentials()); err == nil {
		t.Error("the stage still writes credentials")
	}
	p.gone(t, 7)
}

// TestSweepNotHung: a stage is left alone whose runner lives, or may live where this host
// does not see it, however long ago the lease has expired.
func TestSweepNotHung(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(l *state.Lease){
		"expired":           func(l *state.Lease) { l.Expires = 1 },
		"no runner":         func(l *state.Lease) { l.RunnerPID, l.Expires = 0, 1 },
		"another boot":      func(l *state.Lease) { l.BootID, l.RunnerPID = "another", 1<<22+1 },
		"another container": func(l *state.Lease) { l.Namespace, l.RunnerPID, l.Expires = "another", 1<<22+1, 1 },
	} {
		p, lease := newPlace(t), newLease(t, os.Getpid())
		change(&lease)
		f := p.hold(t, lease)
		p.sweptAt(t, 0)
		p.sweptAt(t, time.Hour)
		if _, err := os.Stat(p.issued(7)); err != nil || f.Over() {
			t.Errorf("%s: the job has ended (%v)", name, err)
		}
	}
}

// TestSweepsHungAtOnce: of many at once one ends the job of a stage that hangs.
func TestSweepsHungAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 {
		p := newPlace(t)
		p.root = filepath.Join(shm(t), "root")
		p.hold(t, deadLease(t))
		p.sweptAt(t, 0)
		var lock sync.Mutex
		var group sync.WaitGroup
		var removed []job.ID
		for range 10 {
			group.Go(func() {
				got, err := state.SweepAt(p.root, time.Hour)
				lock.Lock()
				defer lock.Unlock()
				if removed = append(removed, got...); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		p.sweptOnce(t, 7, removed)
		p.gone(t, 7)
	}
}
