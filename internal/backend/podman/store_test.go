package podman_test

import (
	"os"
	"path/filepath"
	"testing"

	"rolecall/internal/backend/podman"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestStoreOfMany: jobs of one tenant use one store, one after another and at the same time.
func TestStoreOfMany(t *testing.T) {
	if !kit.InUnified(t, "images of many jobs") {
		return
	}
	first := newJob(t, 4720, nil).withImage()
	kit.Must(t, first.build())
	second := newJobIn(t, first.dir, 4721, nil)
	kit.Must(t, second.build()) // from the store, while the first job is there
	kit.Must(t, first.reap())
	second.withImage()
	kit.Must(t, second.reap())
	third := newJobIn(t, first.dir, 4722, nil).withImage()
	kit.Must(t, third.build())
	kit.Must(t, third.reap())
}

// TestBrokenStore: a store that podman cannot read is no store without the image.
func TestBrokenStore(t *testing.T) {
	if !kit.InUnified(t, "images of many jobs") {
		return
	}
	p := newJob(t, 4723, nil).withImage()
	kit.Must(t, os.Truncate(filepath.Join(p.dir, "images/alpha/protected/libpod/bolt_state.db"), 100))
	if err := p.build(); fault.CodeOf(err) != fault.Engine {
		t.Errorf("error %v, want one of the engine", err)
	}
	kit.Must(t, p.reap())
}

// TestReapWithoutFolders: a job whose work tree and own folder are gone is reaped, though a
// stage was killed while its files belonged to others.
func TestReapWithoutFolders(t *testing.T) {
	if !kit.InUnified(t, "the end of a job in a container") {
		return
	}
	for i, gone := range [][]string{{"builds/alpha/protected.own"}, {"builds"}} {
		p := built(t, job.ID(4724+i), nil)
		kit.Must(t, os.WriteFile(filepath.Join(podman.DirOf(p.data), "lent"), nil, 0o600))
		for _, folder := range gone {
			kit.Must(t, os.RemoveAll(filepath.Join(p.dir, folder)))
		}
		kit.Must(t, p.reap())
		if _, err := os.Stat(podman.DirOf(p.data)); !os.IsNotExist(err) {
			t.Errorf("without %v: the folder of the containers: %v, want none", gone, err)
		}
	}
}
