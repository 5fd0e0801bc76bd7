package state_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
)

// The user of the jobs in these tests, and another one.
const (
	jobUID   = 65533
	otherUID = 65532
)

// userPlace names the variable that tells a child process its place.
const userPlace = "STORE_USER_PLACE"

// forUser makes a job of another user, in a place that this can reach.
func forUser(t *testing.T) place {
	t.Helper()
	needRoot(t, "a job of another user")
	dir := openDir(t)
	must(t, os.Chmod(dir, 0o755))
	p := place{filepath.Join(dir, "root"), filepath.Join(dir, "builds", "project.tmp"), dir}
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}}, p.builds)
	must(t, err)
	t.Cleanup(f.Close)
	must(t, f.Write(withFile()))
	if f.Path() != p.env(7) {
		t.Errorf("path %s, want %s", f.Path(), p.env(7))
	}
	return p
}

// asMadeForUser is what a job of another user has, with modes and owners.
var asMadeForUser = map[string]string{
	"root":                             "drwx--x--x 0 0",
	"root/7":                           "drwx--x--x 0 0",
	"root/7/job.json":                  "-rw------- 0 0",
	"root/7/issued.json":               "-rw------- 0 0",
	"root/7/kept":                      "drwx------ 0 0",
	"root/7/kept/.aws.alpha.env":       "-rw------- 65533 65533",
	"root/7/kept/.rolecall.vault.json": "-rw------- 65533 65533",
	"root/7/job":                       "drwx------ 65533 65533",
	"root/7/job/.aws.alpha.env":        "-rw------- 65533 65533",
	"root/7/job/.rolecall.vault.json":  "-rw------- 65533 65533",
}

// owners adds the owner and group to the modes of what is below dir.
func owners(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := modes(t, dir)
	for name, mode := range got {
		info, err := os.Lstat(filepath.Join(dir, name))
		must(t, err)
		stat := info.Sys().(*syscall.Stat_t)
		got[name] = fmt.Sprintf("%s %d %d", mode, stat.Uid, stat.Gid)
	}
	return got
}

// TestUser: the modes of a job of another user, whatever the umask, and that none of
// it is in the build directory. What comes after is as for all jobs.
func TestUser(t *testing.T) {
	needRoot(t, "a job of another user")
	if !inChild(t, nil) {
		return
	}
	for _, mask := range []int{0o000, 0o022, 0o777} {
		old := syscall.Umask(mask)
		p := forUser(t)
		syscall.Umask(old)
		if diff := cmp.Diff(asMadeForUser, owners(t, p.dir)); diff != "" {
			t.Errorf("umask %04o: files differ:\n%s", mask, diff)
		}
		f, err := state.Open(p.root, key(7))
		must(t, err)
		if c, err := f.Read(); err != nil || c[0].Facts.Get("region") != "eu-central-1" || f.Record().Owner.UID != jobUID {
			t.Errorf("a later stage reads %+v, %v", f.Record(), err)
		}
		f.Close()
		p.remove(t, 7)
		p.gone(t, 7)
		must(t, os.WriteFile(filepath.Join(p.root, "still usable"), nil, 0o600))
		if _, err := state.Choose([]string{p.root}); err != nil {
			t.Error(err)
		}
	}
}

// TestUserBeforeWrite: nothing is another user's or open before the file is whole.
func TestUserBeforeWrite(t *testing.T) {
	needRoot(t, "a job of another user")
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}}, "")
	must(t, err)
	defer f.Close()
	must(t, os.WriteFile(p.env(7), nil, 0o600))
	wantError(t, "Write", f.Write(credentials()), "something stands there already")
	for name, mode := range owners(t, p.root) {
		if !strings.HasSuffix(mode, " 0 0") || strings.HasPrefix(mode, "drwx--x") {
			t.Errorf("%s is %s", name, mode)
		}
	}
	p.noSecret(t)
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestUserNeedsRoot: a driver that may not give a file away keeps nothing of it.
func TestUserNeedsRoot(t *testing.T) {
	if !inChild(t, asUser()) {
		return
	}
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}}, "")
	must(t, err)
	defer f.Close()
	wantError(t, "Write", f.Write(credentials()), "operation not permitted")
	for _, path := range []string{p.env(7), p.issued(7), filepath.Join(p.folder(7), "kept", ".aws.alpha.env")} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left (%v)", path, err)
		}
	}
	p.noSecret(t)
	p.remove(t, 7)
	p.gone(t, 7)
}

// asJob runs the test in a process of the job's user, which is told the place.
func asJob(t *testing.T, uid uint32, p place) {
	t.Helper()
	t.Setenv(userPlace, p.dir)
	inChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}})
}

// child returns the place that this process was told, if it is a child.
func child() (place, bool) {
	dir := os.Getenv(userPlace)
	return place{filepath.Join(dir, "root"), filepath.Join(dir, "builds", "project.tmp"), dir}, dir != ""
}

// TestUserReach: the job's user reads its file and can do nothing else in the root.
// Another user cannot read it either.
func TestUserReach(t *testing.T) {
	p, ok := child()
	if !ok {
		p = forUser(t)
		before := owners(t, p.dir)
		for _, uid := range []uint32{jobUID, otherUID} {
			asJob(t, uid, p)
		}
		if diff := cmp.Diff(before, owners(t, p.dir)); diff != "" {
			t.Errorf("a job changed the state:\n%s", diff)
		}
		return
	}
	content, err := os.ReadFile(p.env(7))
	want := string(credentials().EnvFile()) + "VAULT_FILE=" + p.file() + "\n"
	if mine := os.Getuid() == jobUID; mine != (err == nil) || mine && string(content) != want {
		t.Errorf("uid %d reads %v", os.Getuid(), err)
	}
	if _, err := os.ReadFile(p.file()); (os.Getuid() == jobUID) != (err == nil) {
		t.Errorf("uid %d reads the file of a credential: %v", os.Getuid(), err)
	}
	kept := filepath.Join(p.folder(7), "kept")
	for what, try := range map[string]func() error{
		"list the root":       func() error { _, err := os.ReadDir(p.root); return err },
		"list the job folder": func() error { _, err := os.ReadDir(p.folder(7)); return err },
		"read the record":     func() error { _, err := os.ReadFile(filepath.Join(p.folder(7), "job.json")); return err },
		"read issued.json":    func() error { _, err := os.ReadFile(p.issued(7)); return err },
		"enter kept":          func() error { _, err := os.Stat(filepath.Join(kept, ".aws.alpha.env")); return err },
		"remove issued.json":  func() error { return os.Remove(p.issued(7)) },
		"rename issued.json":  func() error { return os.Rename(p.issued(7), filepath.Join(p.own(7), "x")) },
		"replace the record":  func() error { return os.Rename(p.env(7), filepath.Join(p.folder(7), "job.json")) },
		"rename job":          func() error { return os.Rename(p.own(7), filepath.Join(p.folder(7), "x")) },
		"remove job":          func() error { return os.Remove(p.own(7)) },
		"link issued.json":    func() error { return os.Link(p.issued(7), filepath.Join(p.own(7), "x")) },
		"make a file":         func() error { return os.WriteFile(filepath.Join(p.folder(7), "x"), nil, 0o600) },
		"make a job":          func() error { return os.Mkdir(p.folder(8), 0o700) },
		"lock the folder":     func() error { _, err := os.Open(p.folder(7)); return err },
	} {
		if err := try(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("uid %d can %s: %v", os.Getuid(), what, err)
		}
	}
}

// TestUserPlants: the job's user fills its folder with all that could lead root
// astray, and hides its file behind other names. Remove then takes all, overwrites
// the file wherever it is, waits for nothing, and touches no file of another user.
func TestUserPlants(t *testing.T) {
	p, ok := child()
	if !ok {
		p = forUser(t)
		victim := p.newVictim(t)
		refuge := filepath.Join(p.dir, "refuge")
		must(t, os.Mkdir(refuge, 0o777))
		must(t, os.Chmod(refuge, 0o777))
		asJob(t, jobUID, p)
		// As a kernel without protected_hardlinks would have it.
		must(t, os.Link(filepath.Join(victim, "file"), filepath.Join(p.own(7), ".aws.victim.env")))
		must(t, os.Link(filepath.Join(victim, "file"), filepath.Join(p.own(7), ".rolecall.victim")))
		within(t, 5*time.Second, func() { p.remove(t, 7) })
		p.untouched(t)
		p.gone(t, 7)
		for _, name := range []string{"keep", "moved"} {
			content, err := os.ReadFile(filepath.Join(refuge, name))
			if err != nil || len(content) == 0 || len(bytes.Trim(content, "\x00")) > 0 {
				t.Errorf("%s reads %q, %v, want zeros", name, content, err)
			}
		}
		return
	}
	victim, refuge, own := filepath.Join(p.dir, "victim"), filepath.Join(p.dir, "refuge"), p.own(7)
	t.Cleanup(func() { must(t, os.Chmod(own, 0)) }) // after t.Chdir's
	must(t, os.Link(p.env(7), filepath.Join(refuge, "keep")))
	must(t, os.Rename(p.env(7), filepath.Join(refuge, "moved")))
	for i, plant := range plants {
		plant.put(t, filepath.Join(own, fmt.Sprintf(".aws.%d.env", i)), victim)
		plant.put(t, filepath.Join(own, fmt.Sprintf(".rolecall.%d", i)), victim)
		plant.put(t, filepath.Join(own, fmt.Sprint(i)), victim)
	}
	must(t, os.MkdirAll(filepath.Join(own, "a/b/.aws.c.env/d"), 0o700))
	must(t, os.WriteFile(filepath.Join(own, "a/b/.aws.e.env"), credentials().EnvFile(), 0o400))
	must(t, os.Symlink(victim, filepath.Join(own, "a/b/link")))
	must(t, os.Chmod(filepath.Join(own, "a/b"), 0))
}

// TestForeignFolderInJob: what a job has moved into its folder and is not its own
// stays, beside an error.
func TestForeignFolderInJob(t *testing.T) {
	p := forUser(t)
	theirs := filepath.Join(p.own(7), "a", "theirs")
	must(t, os.MkdirAll(theirs, 0o755))
	must(t, os.WriteFile(filepath.Join(theirs, "file"), []byte(victim), 0o644))
	must(t, os.Chown(filepath.Dir(theirs), jobUID, jobUID))
	for range 2 {
		wantError(t, "Remove", state.Remove(p.root, key(7)), "theirs belongs to user 0")
		found, _ := filepath.Glob(filepath.Join(p.folder(7), ".*", "theirs", "file"))
		if len(found) != 1 {
			t.Errorf("it is gone: %v", owners(t, p.dir))
		}
		p.noSecret(t)
	}
}

// TestMountInJob: nothing in a file system that is mounted in a job's folder is
// touched, and none is waited for; the secrets go all the same.
func TestMountInJob(t *testing.T) {
	if !inMounts(t) {
		return
	}
	for _, where := range []string{"job", "job/a/b"} {
		t.Run(where, func(t *testing.T) {
			p := forUser(t)
			source, point := p.newVictim(t), filepath.Join(p.folder(7), where)
			must(t, os.MkdirAll(point, 0o700))
			for path := point; path != p.folder(7); path = filepath.Dir(path) {
				must(t, os.Chown(path, jobUID, jobUID))
			}
			must(t, syscall.Mount(source, point, "", syscall.MS_BIND, "")) // st_dev is the same
			err := state.Remove(p.root, key(7))
			wantError(t, "Remove", err, "a file system is mounted there; unmount it")
			p.untouched(t)
			mounts, _ := os.ReadFile("/proc/self/mountinfo")
			for line := range strings.Lines(string(mounts)) {
				if fields := strings.Fields(line); strings.HasPrefix(fields[4], p.dir) {
					must(t, syscall.Unmount(fields[4], syscall.MNT_DETACH))
				}
			}
			p.noSecret(t)
			p.remove(t, 7)
			p.gone(t, 7)
			p.untouched(t)
		})
	}
}
