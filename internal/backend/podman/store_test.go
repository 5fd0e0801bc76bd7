package podman_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// TestPlantedLock: podman keeps its locks among the files of the job. What another user has
// put at the place of those in /dev/shm harms no job.
func TestPlantedLock(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "locks of podman") {
		return
	}
	kit.Must(t, unix.Mount("tmpfs", "/dev/shm", "tmpfs", 0, "mode=1777"))
	const planted = "/dev/shm/libpod_rootless_lock_65534"
	kit.Must(t, os.WriteFile(planted, nil, 0o600))
	kit.Must(t, os.Chown(planted, 34, 34)) // of another tenant's user
	p := newJob(t, unique(4727), withServices("none", web("80", "one", "db"))).withImage()
	kit.Must(t, p.build())
	if o := p.run("build_script", "wget -q -O - http://db; exit 126", nil); o.Code != 126 || o.Err != "" || !strings.HasPrefix(o.stdout, "one\n") {
		t.Errorf("%+v", o)
	}
	kit.Must(t, p.reap())
	p.checkNothing("the job")
	if left, err := os.ReadDir("/dev/shm"); err != nil || len(left) != 1 {
		t.Errorf("left in /dev/shm: %v, %v", left, err)
	}
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
