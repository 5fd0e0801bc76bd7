package state_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestUserPlants: the job's user fills its folder with all that could lead root
// astray, and copies its secrets to there. Remove then takes all, overwrites the copies
// wherever they are, waits for nothing, and touches no file of another user.
func TestUserPlants(t *testing.T) {
	p, ok := child()
	if !ok {
		p = forUser(t)
		victim, shut := p.newVictim(t), filepath.Join(p.dir, "shut")
		kit.Must(t, os.WriteFile(shut, []byte(victim), 0o400))
		refuge := filepath.Join(p.dir, "refuge")
		kit.Must(t, os.Mkdir(refuge, 0o777))
		kit.Must(t, os.Chmod(refuge, 0o777))
		asJob(t, jobUID, p)
		// As a kernel without protected_hardlinks would have it.
		kit.Must(t, os.Link(filepath.Join(victim, "file"), filepath.Join(p.own(7), ".aws.victim.env")))
		kit.Must(t, os.Link(filepath.Join(victim, "file"), filepath.Join(p.own(7), ".rolecall.victim")))
		kit.Must(t, os.Link(shut, filepath.Join(p.own(7), ".aws.shut.env")))
		within(t, 5*time.Second, func() { p.remove(t, 7) })
		p.untouched(t)
		if info, err := os.Stat(shut); err != nil || info.Mode() != 0o400 || info.Size() == 0 {
			t.Errorf("root's own file that the job has linked: %v, %v", info, err)
		}
		p.gone(t, 7)
		content, err := os.ReadFile(filepath.Join(refuge, "keep"))
		if err != nil || len(content) == 0 || len(bytes.Trim(content, "\x00")) > 0 {
			t.Errorf("the other name of a copy reads %q, %v, want zeros", content, err)
		}
		return
	}
	victim, refuge, own := filepath.Join(p.dir, "victim"), filepath.Join(p.dir, "refuge"), p.own(7)
	t.Cleanup(func() { kit.Must(t, os.Chmod(own, 0)) }) // after t.Chdir's
	copied := filepath.Join(own, ".aws.copy.env")
	kit.Must(t, os.WriteFile(copied, credentials().EnvFile(), 0o600))
	kit.Must(t, os.Link(copied, filepath.Join(refuge, "keep")))
	for i, plant := range plants {
		plant.put(t, filepath.Join(own, fmt.Sprintf(".aws.%d.env", i)), victim)
		plant.put(t, filepath.Join(own, fmt.Sprintf(".rolecall.%d", i)), victim)
		plant.put(t, filepath.Join(own, fmt.Sprint(i)), victim)
	}
	kit.Must(t, os.MkdirAll(filepath.Join(own, "a/b/.aws.c.env/d"), 0o700))
	kit.Must(t, os.WriteFile(filepath.Join(own, "a/b/.aws.e.env"), credentials().EnvFile(), 0o400))
	kit.Must(t, os.Symlink(victim, filepath.Join(own, "a/b/link")))
	kit.Must(t, os.Chmod(filepath.Join(own, "a/b"), 0))
}

// TestForeignFolderInJob: what a job has moved into its folder and is not its own
// stays, beside an error.
func TestForeignFolderInJob(t *testing.T) {
	for _, above := range []string{"", "a", "a/b"} {
		p := forUser(t)
		theirs := filepath.Join(p.own(7), above, "theirs")
		kit.Must(t, os.MkdirAll(theirs, 0o755))
		kit.Must(t, os.WriteFile(filepath.Join(theirs, "file"), []byte(victim), 0o644))
		for path := filepath.Dir(theirs); path != p.folder(7); path = filepath.Dir(path) {
			kit.Must(t, os.Chown(path, jobUID, jobUID))
		}
		p.keepsForeign(t)
	}
}

// keepsForeign checks that a file of the user root stays in the folder of a job.
func (p place) keepsForeign(t *testing.T) {
	t.Helper()
	for range 2 {
		wantError(t, "Remove", state.Remove(p.root, key(7)), " belongs to user 0")
		kept := 0
		for name := range modes(t, p.own(7)) {
			if filepath.Base(name) == "file" {
				kept++
			}
		}
		if kept != 1 {
			t.Errorf("it is gone: %v", owners(t, p.dir))
		}
		if _, err := os.Lstat(filepath.Join(p.folder(7), "removed.json")); err != nil {
			t.Errorf("the next sweep cannot know what is left: %v", err)
		}
		p.noSecret(t)
	}
}

// TestMountInJob: nothing in a file system that is mounted in a job's folder is
// touched, and none is waited for; the secrets go all the same.
func TestMountInJob(t *testing.T) {
	if !kit.InMounts(t, "a mount in the folder of a job") {
		return
	}
	for _, where := range []string{"own", "own/a/b"} {
		t.Run(where, func(t *testing.T) {
			p := forUser(t)
			source, point := p.newVictim(t), filepath.Join(p.folder(7), where)
			kit.Must(t, os.MkdirAll(point, 0o700))
			for path := point; path != p.folder(7); path = filepath.Dir(path) {
				kit.Must(t, os.Chown(path, jobUID, jobUID))
			}
			kit.Must(t, syscall.Mount(source, point, "", syscall.MS_BIND, "")) // st_dev is the same
			err := state.Remove(p.root, key(7))
			wantError(t, "Remove", err, "a file system is mounted there; unmount it")
			p.untouched(t)
			mounts, _ := os.ReadFile("/proc/self/mountinfo")
			for line := range strings.Lines(string(mounts)) {
				if fields := strings.Fields(line); strings.HasPrefix(fields[4], p.dir) {
					kit.Must(t, syscall.Unmount(fields[4], syscall.MNT_DETACH))
				}
			}
			p.noSecret(t)
			p.remove(t, 7)
			p.gone(t, 7)
			p.untouched(t)
		})
	}
}
