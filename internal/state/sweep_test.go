package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// itoa is strconv.Itoa.
func itoa(i int) string { return strconv.Itoa(i) }

// noReap is for jobs that no backend has run.
func noReap(t *testing.T) state.Reap {
	return func(_ context.Context, backend string, _ json.RawMessage, id job.ID) error {
		t.Errorf("reaps job %s of %q", id, backend)
		return nil
	}
}

// sweep sweeps the place and checks which jobs it says to have removed.
func (p place) sweep(t *testing.T, want ...job.ID) {
	t.Helper()
	removed, err := state.Sweep(t.Context(), p.root, noReap(t), nil)
	got := state.IDs(removed)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Sweep removed %v, %v, want %v", got, err, want)
	}
}

// leased makes a job with a lease, which no stage works for.
func (p place) leased(t *testing.T, id job.ID, l state.Lease) {
	t.Helper()
	f, err := state.Create(p.root, key(id), state.Record{Tenant: "alpha", Lease: l}, p.builds)
	kit.Must(t, err)
	defer f.Close()
	if l.Alive() {
		kit.Must(t, f.Write(credentials()))
		return
	}
	kit.Must(t, os.WriteFile(p.issued(id), credentials().EnvFile(), 0o600)) // the runner died later
	kit.Must(t, os.WriteFile(p.env(id), credentials().EnvFile(), 0o600))
}

// record changes the record of a job.
func (p place) record(t *testing.T, id job.ID, change func(record map[string]any)) {
	t.Helper()
	path := filepath.Join(p.folder(id), "job.json")
	content, err := os.ReadFile(path)
	kit.Must(t, err)
	record := map[string]any{}
	kit.Must(t, json.Unmarshal(content, &record))
	change(record)
	content, err = json.Marshal(record)
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(path, content, 0o600))
}

// TestSweep: what a dead runner left goes and what is of a living one stays, also
// where another version of the driver made it.
func TestSweep(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	alive, dead := newLease(t, os.Getpid()), deadLease(t)
	reused, over := alive, alive
	reused.RunnerStart--
	over.Expires = 1
	for id, l := range map[job.ID]state.Lease{1: alive, 2: dead, 3: reused, 4: over, 5: alive, 6: dead, 10: dead, 11: alive} {
		p.leased(t, id, l)
	}
	for _, id := range []job.ID{5, 6} {
		p.record(t, id, func(record map[string]any) {
			record["version"], record["id_token"], record["new"] = "4.0", []int{1}, "key"
		})
	}
	kit.Must(t, os.WriteFile(filepath.Join(p.folder(10), "job.json"), []byte(`{"version":2`), 0o600)) // young
	kit.Must(t, os.WriteFile(filepath.Join(p.folder(11), "job.json"), []byte(`{"version":2`), 0o600))
	p.sweep(t, 2, 3, 4, 6)
	for _, id := range []job.ID{2, 3, 4, 6} {
		if _, err := os.Lstat(p.linkFolder(id)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the link of job %s: %v", id, err)
		}
	}
	for _, id := range []job.ID{1, 5, 10, 11} {
		if _, err := os.Stat(filepath.Join(p.linkFolder(id), ".aws.alpha.env")); err != nil {
			t.Errorf("job %s: %v", id, err)
		}
	}
	p.sweep(t)
	for _, id := range []job.ID{1, 5, 10, 11} {
		p.remove(t, id)
		if _, err := os.Lstat(p.linkFolder(id)); id < 10 && !errors.Is(err, fs.ErrNotExist) { // a broken record names none
			t.Errorf("the link of job %s: %v", id, err)
		}
	}
	p.noSecret(t)
}

// TestSweepLocked: a stage keeps the folder that it works with, though its runner
// has died, for as long as it is alive.
func TestSweepLocked(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Lease: deadLease(t)}, p.builds)
	kit.Must(t, err)
	p.sweep(t)
	second, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	first.Close()
	p.sweep(t)
	second.Close()
	p.sweep(t, 7)
	p.gone(t, 7)
}

// TestSweepAfterRemove: a Remove that died half-way is finished, though the lease
// holds, a stage hangs, and its record may be all that is left.
func TestSweepAfterRemove(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.leased(t, 7, newLease(t, os.Getpid()))
	f, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, os.Rename(filepath.Join(p.folder(7), "job.json"), filepath.Join(p.folder(7), "removed.json")))
	_, err = state.Open(p.root, key(7))
	wantError(t, "Open", err, "the job has ended")
	p.sweep(t, 7)
	p.gone(t, 7)
}

// TestSweepAge: a folder without a record, or with one that has no lease, goes by
// its age.
func TestSweepAge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		make func(t *testing.T, p place)
		age  time.Duration
	}{
		{"no record", func(t *testing.T, p place) { kit.Must(t, os.MkdirAll(p.folder(7), 0o700)) }, time.Minute},
		{"half a record", func(t *testing.T, p place) {
			kit.Must(t, os.MkdirAll(p.folder(7), 0o700))
			kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "intent.json"), []byte(`{"ver`), 0o600))
		}, time.Minute},
		{"no lease", func(t *testing.T, p place) { p.leased(t, 7, state.Lease{}) }, 25 * time.Hour},
		{"version 1", func(t *testing.T, p place) {
			kit.Must(t, os.MkdirAll(p.folder(7), 0o700))
			kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), []byte(`{"version":1,"proof":"","tenant":"alpha","link_dir":"`+p.linkFolder(7)+`"}`), 0o600))
			kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), ".aws.alpha.env"), credentials().EnvFile(), 0o600))
			kit.Must(t, os.MkdirAll(p.linkFolder(7), 0o700))
			kit.Must(t, os.Symlink(filepath.Join(p.folder(7), ".aws.alpha.env"), filepath.Join(p.linkFolder(7), ".aws.alpha.env")))
		}, 25 * time.Hour},
		{"version 2", func(t *testing.T, p place) {
			kit.Must(t, os.MkdirAll(p.secret(7), 0o700))
			kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), []byte(`{"version":2,"proof":"","tenant":"alpha","link_dir":""}`), 0o600))
			kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "issued.env"), credentials().EnvFile(), 0o600))
			kit.Must(t, os.WriteFile(p.env(7), credentials().EnvFile(), 0o600))
		}, 25 * time.Hour},
		{"broken", func(t *testing.T, p place) {
			kit.Must(t, os.MkdirAll(p.folder(7), 0o700))
			kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), []byte(`{`), 0o600))
		}, 25 * time.Hour},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			kit.Must(t, os.Mkdir(p.root, 0o700))
			test.make(t, p)
			p.sweep(t)
			if got, err := state.SweepAt(p.root, test.age-time.Minute/2); err != nil || len(got) > 0 {
				t.Errorf("after less than %v: %v, %v", test.age, got, err)
			}
			if got, err := state.SweepAt(p.root, test.age+time.Minute/2); err != nil || len(got) != 1 {
				t.Errorf("after more than %v: %v, %v", test.age, got, err)
			}
			p.gone(t, 7)
		})
	}
}

// TestSweepForeign: what is no job stays, and is neither followed nor waited for.
func TestSweepForeign(t *testing.T) {
	for _, plant := range plants {
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			kit.Must(t, os.Mkdir(p.root, 0o700))
			victim := p.newVictim(t)
			for _, name := range []string{"keys", "0", "-1", "07", "7x", "99999999999999999999", ".7", "+7"} {
				plant.put(t, filepath.Join(p.root, name), victim)
			}
			if plant.name != "folder" {
				plant.put(t, p.folder(7), victim)
			}
			before := modes(t, p.dir)
			within(t, 5*time.Second, func() {
				if got, err := state.SweepAt(p.root, 1000*time.Hour); err != nil || len(got) > 0 {
					t.Errorf("Sweep removed %v, %v", got, err)
				}
			})
			if diff := cmp.Diff(before, modes(t, p.dir)); diff != "" {
				t.Errorf("files differ:\n%s", diff)
			}
		})
	}
}

// TestSweepNothing: a root that is not there is not made, and one of another user is
// not touched; nor is a job folder of another user.
func TestSweepNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.sweep(t)
	if _, err := os.Lstat(p.root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Sweep made the root: %v", err)
	}
	kit.NeedRoot(t, "a root of another user")
	p.leased(t, 7, deadLease(t))
	kit.Must(t, os.Lchown(p.folder(7), nobody, nobody))
	p.sweep(t)
	kit.Must(t, os.Lchown(p.folder(7), 0, 0))
	kit.Must(t, os.Lchown(p.root, nobody, nobody))
	p.sweep(t)
	kit.Must(t, os.Lchown(p.root, 0, 0))
	p.sweep(t, 7)
	p.gone(t, 7)
}
