package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestSweepsAtOnce: ten at once remove each dead job once and harm none of those
// that live, while cleanup removes others and new ones come.
func TestSweepsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.root = filepath.Join(shm(t), "root")
	alive, dead := newLease(t, os.Getpid()), deadLease(t)
	for id := range job.ID(50) {
		p.leased(t, 100+id, alive)
		p.leased(t, 200+id, dead)
	}
	var lock sync.Mutex
	var removed []job.ID
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			got, err := state.Sweep(t.Context(), p.root, noReap(t), nil)
			if err != nil {
				t.Errorf("one of ten Sweeps: %v", err)
			}
			lock.Lock()
			defer lock.Unlock()
			removed = append(removed, state.IDs(got)...)
		})
	}
	group.Go(func() {
		for id := range job.ID(50) {
			p.leased(t, 300+id, alive)
			p.remove(t, 249-id)
		}
	})
	group.Wait()
	for id := range job.ID(50) {
		for _, alive := range []job.ID{100 + id, 300 + id} {
			if content, err := os.ReadFile(filepath.Join(p.linkFolder(alive), ".aws.alpha.env")); err != nil || len(content) == 0 {
				t.Errorf("job %s was harmed: %v", alive, err)
			}
		}
		p.sweptOnce(t, 200+id, removed)
	}
}

// sweptOnce checks that a job is gone, and that at most one Sweep claims it.
func (p place) sweptOnce(t *testing.T, id job.ID, removed []job.ID) {
	t.Helper()
	p.gone(t, id)
	first := slices.Index(removed, id)
	if first >= 0 && slices.Contains(removed[first+1:], id) {
		t.Errorf("two Sweeps say that they removed job %s", id)
	}
}

// TestCreateWaitsForSweep: a new attempt at a job waits for who still removes the old
// one, and then has its own.
func TestCreateWaitsForSweep(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.leased(t, 7, deadLease(t))
	held, err := os.Open(p.folder(7))
	kit.Must(t, err)
	kit.Must(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	_, err = state.Open(p.root, key(7))
	wantError(t, "Open", err, "another stage uses or removes this folder")
	time.AfterFunc(200*time.Millisecond, func() { _ = held.Close() })
	begin := time.Now()
	p.write(t, 7)
	if took := time.Since(begin); took < 150*time.Millisecond || took > time.Second {
		t.Errorf("Create took %v", took)
	}
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestRemoveDuringWrite: cleanup comes while prepare, whose runner gave it up, still
// writes. Cleanup wins.
func TestRemoveDuringWrite(t *testing.T) {
	t.Parallel()
	cut := 0
	for range 300 {
		p := newPlace(t)
		p.root = filepath.Join(shm(t), "root")
		f := create(t, p, 7)
		written := make(chan error)
		go func() { written <- f.Write(credentials()) }()
		p.remove(t, 7)
		if err := <-written; errors.Is(err, fs.ErrNotExist) {
			cut++
		} else if err != nil {
			t.Errorf("Write: %v", err)
		}
		p.gone(t, 7)
		if left, err := os.ReadDir(p.root); err != nil || len(left) > 0 {
			t.Fatalf("left %v, %v", left, err)
		}
	}
	t.Logf("%d of 300 were cut off", cut)
}

// BenchmarkSweep is what a config stage pays while 50 jobs run.
func BenchmarkSweep(b *testing.B) {
	root := filepath.Join(b.TempDir(), "root")
	lease, err := state.NewLease(os.Getpid(), time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	for id := range job.ID(50) {
		f, err := state.Create(root, key(id+1), state.Record{Tenant: "alpha", Lease: lease}, "")
		if err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
	for b.Loop() {
		if got, err := state.Sweep(b.Context(), root, nil, nil); err != nil || len(got) > 0 {
			b.Fatal(got, err)
		}
	}
}
