package state_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestPlantedLinkFolder: something stands where the job's folder in the build
// directory goes. It is refused and stays as it is, and the state of the job,
// which has no use without it, goes.
func TestPlantedLinkFolder(t *testing.T) {
	for _, plant := range plants {
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			kit.Must(t, os.MkdirAll(p.builds, 0o755))
			plant.put(t, p.linkFolder(7), p.newVictim(t))
			before := modes(t, p.builds)
			within(t, 5*time.Second, func() {
				_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
				wantError(t, "Create", err, p.linkFolder(7)+": already exists, and is left unchanged")
			})
			if diff := cmp.Diff(before, modes(t, p.builds)); diff != "" {
				t.Errorf("the build directory differs:\n%s", diff)
			}
			p.untouched(t)
			p.noSecret(t)
		})
	}
}

// TestEmptyLinkFolder: a folder that is there before is not taken for the one that Create
// makes, even if it is as that one would be.
func TestEmptyLinkFolder(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, os.MkdirAll(p.linkFolder(7), 0o700))
	_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
	wantError(t, "Create", err, p.linkFolder(7)+": already exists, and is left unchanged")
	if _, err := os.Lstat(p.linkFolder(7)); err != nil {
		t.Error(err)
	}
}

// TestForeignLinkFolder: a folder of another user in the place of the job's folder stays,
// beside an error; the credentials go.
func TestForeignLinkFolder(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a folder of another user")
	p := newPlace(t)
	p.write(t, 7)
	file := filepath.Join(p.linkFolder(7), "file")
	kit.Must(t, os.WriteFile(file, []byte(victim), 0o644))
	kit.Must(t, os.Chown(p.linkFolder(7), otherUID, otherUID))
	wantError(t, "Remove", state.Remove(p.root, key(7)), p.linkFolder(7)+" belongs to user 65532")
	if _, err := os.Lstat(file); err != nil {
		t.Error(err)
	}
	p.noSecret(t)
}

// TestMountedLinkFolder: where a stage died that was to make the folder, a file system
// may be mounted by now.
func TestMountedLinkFolder(t *testing.T) {
	if !kit.InMounts(t, "a mount in the build directory") {
		return
	}
	p := newPlace(t)
	create(t, p, 7).Close()
	kit.Must(t, os.Rename(filepath.Join(p.folder(7), "job.json"), filepath.Join(p.folder(7), "intent.json")))
	kit.Mount(t, p.linkFolder(7), "", 0)
	wantError(t, "Remove", state.Remove(p.root, key(7)), p.linkFolder(7)+": a file system is mounted there; unmount it")
}

// TestPlantedBuildDirectory: the folder beside the work tree is planted. A folder
// is what belongs there.
func TestPlantedBuildDirectory(t *testing.T) {
	for _, plant := range plants {
		if plant.name == "folder" {
			continue
		}
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			kit.Must(t, os.Mkdir(filepath.Dir(p.builds), 0o755))
			plant.put(t, p.builds, p.newVictim(t))
			within(t, 5*time.Second, func() {
				_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
				wantError(t, "Create", err, "build directory: ")
			})
			p.untouched(t)
			if diff := cmp.Diff(map[string]string{}, modes(t, p.root)); diff != "" {
				t.Errorf("the root is not empty:\n%s", diff)
			}
		})
	}
}

// TestUnfinishedLinkFolder: a stage died that was to make the job's folder in the
// build directory. What stands there goes only where nobody else can have made it.
func TestUnfinishedLinkFolder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		put  func(p place) error
		stay bool
	}{
		"nothing":      {func(p place) error { return os.Remove(p.linkFolder(7)) }, false},
		"empty":        {func(place) error { return nil }, false},
		"our link":     {func(p place) error { return os.Symlink(p.env(7), p.linkFolder(7)+"/.aws.alpha.env") }, false},
		"another link": {func(p place) error { return os.Symlink("/", p.linkFolder(7)+"/.aws.alpha.env") }, true},
		"a file":       {func(p place) error { return os.WriteFile(p.linkFolder(7)+"/file", nil, 0o600) }, true},
	} {
		p := newPlace(t)
		create(t, p, 7).Close()
		kit.Must(t, os.Rename(filepath.Join(p.folder(7), "job.json"), filepath.Join(p.folder(7), "intent.json")))
		kit.Must(t, os.Remove(p.linkFolder(7)+"/.aws.alpha.env"))
		kit.Must(t, test.put(p))
		before := modes(t, filepath.Dir(p.builds))
		p.remove(t, 7)
		if diff := cmp.Diff(before, modes(t, filepath.Dir(p.builds))); test.stay && diff != "" {
			t.Errorf("%s: it is not left alone:\n%s", name, diff)
		} else if !test.stay {
			p.gone(t, 7)
		}
		if _, err := os.Lstat(p.folder(7)); err == nil {
			t.Errorf("%s: the state is left", name)
		}
	}
}
