package state_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// withOwn makes a job whose own folder is in the folder owns.
func (p place) withOwn(t *testing.T, id job.ID, record state.Record) (*state.Folder, error) {
	t.Helper()
	f, err := state.Create(p.root, key(id), record, "")
	if err == nil {
		t.Cleanup(f.Close)
	}
	return f, err
}

// TestOwn: the job's own folder is where the record says, closed, and goes with the job,
// one that an earlier attempt has left too. A job without one has none.
func TestOwn(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(p place) (own, path string){
		"none":    func(place) (string, string) { return "", "" },
		"here":    func(p place) (string, string) { return state.OwnHere, p.own(7) },
		"outside": func(p place) (string, string) { return filepath.Join(p.dir, "owns"), filepath.Join(p.dir, "owns", "7") },
	} {
		p := newPlace(t)
		kit.Must(t, os.MkdirAll(filepath.Join(p.dir, "owns", "8"), 0o700))
		own, path := where(p)
		for _, tenant := range []string{"alpha", ""} {
			if filepath.IsAbs(path) && name == "outside" {
				kit.Must(t, os.MkdirAll(filepath.Join(path, "old"), 0o700))
			}
			f, err := p.withOwn(t, 7, state.Record{Tenant: tenant, Own: own})
			kit.Must(t, err)
			if f.OwnDir() != path {
				t.Errorf("%s: path %q, want %q", name, f.OwnDir(), path)
			}
			if path != "" {
				if info, err := os.Stat(path); err != nil || info.Mode() != os.ModeDir|0o700 || len(modes(t, path)) > 0 {
					t.Errorf("%s: %v, %v, with %v", name, info, err, modes(t, path))
				}
				kit.Must(t, os.MkdirAll(filepath.Join(path, "a", "b"), 0o700))
				kit.Must(t, os.WriteFile(filepath.Join(path, "a", "credentials"), []byte(secret), 0o600))
			}
			p.remove(t, 7)
			p.gone(t, 7)
			p.noSecret(t)
			if diff := cmp.Diff(map[string]string{"8": "drwx------"}, modes(t, filepath.Join(p.dir, "owns"))); diff != "" {
				t.Errorf("%s: differs:\n%s", name, diff)
			}
		}
	}
}

// TestOwnParent: without a folder to make it in there is no job.
func TestOwnParent(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	owns := filepath.Join(p.dir, "owns")
	_, err := p.withOwn(t, 7, state.Record{Own: owns})
	wantError(t, "Create", err, owns+": no such file")
	p.gone(t, 7)
	kit.Must(t, os.Symlink(p.dir, owns))
	_, err = p.withOwn(t, 7, state.Record{Own: owns})
	wantError(t, "Create", err, owns+": not a folder but a link or a file")
	p.gone(t, 7)
}

// TestOwnIsPlanted: what stands in the place of the job's own folder is not followed, and
// a folder of a third user stays.
func TestOwnIsPlanted(t *testing.T) {
	kit.NeedRoot(t, "a folder of another user")
	t.Parallel()
	p := newPlace(t)
	owns, theirs := filepath.Join(p.dir, "owns"), p.newVictim(t)
	kit.Must(t, os.Mkdir(owns, 0o711))
	record := state.Record{Own: owns, Owner: &state.Owner{UID: jobUID, GID: jobUID}}
	path := filepath.Join(owns, "7")
	kit.Must(t, os.Symlink(theirs, path))
	_, err := p.withOwn(t, 7, record)
	kit.Must(t, err)
	p.untouched(t)
	kit.Must(t, os.Remove(path))
	kit.Must(t, os.MkdirAll(filepath.Join(path, "a"), 0o700))
	kit.Must(t, os.Chown(path, otherUID, otherUID))
	wantError(t, "Remove", state.Remove(p.root, key(7)), path+" belongs to user 65532")
	if _, err := os.Stat(filepath.Join(path, "a")); err != nil {
		t.Error(err)
	}
	kit.Must(t, os.Chown(path, jobUID, jobUID))
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestTamperedOwn: a job that changes its record cannot have cleanup delete anything but
// a folder of its own job's name.
func TestTamperedOwn(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []string{"victim", "victim/8", "victim/7/..", "victim/../victim", "/", "victim/77", ".", "own/../../8"} {
		p := newPlace(t)
		p.write(t, 7)
		for _, dir := range []string{"7", "8", "77"} {
			kit.Must(t, os.MkdirAll(filepath.Join(p.dir, "victim", dir), 0o755))
		}
		before := modes(t, filepath.Join(p.dir, "victim"))
		own := p.dir + "/" + elsewhere
		if !strings.HasPrefix(elsewhere, "victim") {
			own = elsewhere
		}
		record, err := json.Marshal(state.Record{Version: 3, Tenant: "alpha", Own: own})
		kit.Must(t, err)
		kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), record, 0o600))
		p.remove(t, 7)
		if diff := cmp.Diff(before, modes(t, filepath.Join(p.dir, "victim"))); diff != "" {
			t.Errorf("%s: something else is deleted:\n%s", own, diff)
		}
		p.noSecret(t)
	}
}

// many makes very many folders in dir, some of them deep.
func many(t *testing.T, dir string, n int) {
	t.Helper()
	for i := range n / 100 {
		deep := filepath.Join(dir, fmt.Sprint("d", i), strings.Repeat("x/", i%20))
		kit.Must(t, os.MkdirAll(deep, 0o700))
		for j := range 99 - i%20 {
			kit.Must(t, os.Mkdir(filepath.Join(deep, fmt.Sprint(j)), 0o700))
		}
	}
}

// TestManyFolders: cleanup removes all that a job makes of its own folder. Who sweeps for
// others has no longer to do so than was said; the secrets are gone by then, and the
// rest is for the next.
func TestManyFolders(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const jobs = 3
	for id := job.ID(1); id <= jobs; id++ {
		f, err := p.withOwn(t, id, state.Record{Tenant: "alpha", Own: state.OwnHere})
		kit.Must(t, err)
		kit.Must(t, f.Write(credentials()))
		many(t, p.own(id), 10000)
		f.Close()
	}
	for id := job.ID(1); id < jobs; id++ {
		kit.Must(t, os.Rename(filepath.Join(p.folder(id), "job.json"), filepath.Join(p.folder(id), "removed.json")))
	}
	const bound = 20 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	begin := time.Now()
	removed, err := state.Sweep(ctx, p.root, nil, nil)
	if took := time.Since(begin); err != nil || len(removed) > 0 || took > bound+time.Second {
		t.Errorf("a sweep of %v took %v and removed %v: %v", bound, took, removed, err)
	}
	removed, err = state.Sweep(t.Context(), p.root, nil, nil)
	if err != nil || len(removed) != jobs-1 {
		t.Errorf("the next sweep removed %v: %v", removed, err)
	}
	_, err = state.Finish(t.Context(), p.root, key(jobs), nil, nil)
	kit.Must(t, err)
	p.gone(t, jobs)
	p.noSecret(t)
}
