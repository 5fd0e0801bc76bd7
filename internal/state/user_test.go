package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
	"rolecall/test/kit"
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
	kit.NeedRoot(t, "a job of another user")
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o755))
	p := place{filepath.Join(dir, "root"), filepath.Join(dir, "builds", "project.tmp"), dir}
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}, Own: state.OwnHere}, p.builds)
	kit.Must(t, err)
	t.Cleanup(f.Close)
	kit.Must(t, f.Write(withFile()))
	if f.Path() != p.env(7) || f.OwnDir() != p.own(7) {
		t.Errorf("paths %s and %s, want %s and %s", f.Path(), f.OwnDir(), p.env(7), p.own(7))
	}
	kit.Must(t, os.Chown(p.own(7), jobUID, jobUID)) // the backend does that
	return p
}

// asMadeForUser is what a job of another user has, with modes and owners.
var asMadeForUser = map[string]string{
	"root":                               "drwx--x--x 0 0",
	"root/7":                             "drwx--x--x 0 0",
	"root/7/job.json":                    "-rw------- 0 0",
	"root/7/issued.json":                 "-rw------- 0 0",
	"root/7/kept":                        "drwx------ 0 0",
	"root/7/kept/.aws.alpha.env":         "-rw-r----- 0 0", // by a list, the job's user may read it
	"root/7/kept/.rolecall.vault.json":   "-rw-r----- 0 0",
	"root/7/secret":                      "drwx--x--x 0 0",
	"root/7/secret/.aws.alpha.env":       "-rw-r----- 0 0",
	"root/7/secret/.rolecall.vault.json": "-rw-r----- 0 0",
	"root/7/own":                         "drwx------ 65533 65533",
}

// owners adds the owner and group to the modes of what is below dir.
func owners(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := modes(t, dir)
	for name, mode := range got {
		info, err := os.Lstat(filepath.Join(dir, name))
		kit.Must(t, err)
		stat := info.Sys().(*syscall.Stat_t)
		got[name] = fmt.Sprintf("%s %d %d", mode, stat.Uid, stat.Gid)
	}
	return got
}

// TestUser: the modes of a job of another user, whatever the umask, and that none of
// it is in the build directory. What comes after is as for all jobs.
func TestUser(t *testing.T) {
	kit.NeedRoot(t, "a job of another user")
	if !kit.InChild(t, nil) {
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
		kit.Must(t, err)
		if c, err := f.Read(); err != nil || c[0].Facts.Get("region") != "eu-central-1" || f.Record().Owner.UID != jobUID {
			t.Errorf("a later stage reads %+v, %v", f.Record(), err)
		}
		f.Close()
		p.remove(t, 7)
		p.gone(t, 7)
		kit.Must(t, os.WriteFile(filepath.Join(p.root, "still usable"), nil, 0o600))
		if _, err := state.Choose([]string{p.root}, unexpected(t)); err != nil {
			t.Error(err)
		}
	}
}

// TestUserBeforeWrite: nothing is another user's or open before the file is whole.
func TestUserBeforeWrite(t *testing.T) {
	kit.NeedRoot(t, "a job of another user")
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}}, "")
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, os.WriteFile(p.env(7), nil, 0o600))
	wantError(t, "Write", f.Write(credentials()), "already exists, and is left unchanged")
	for name, mode := range owners(t, p.root) {
		if !strings.HasSuffix(mode, " 0 0") || strings.HasPrefix(mode, "drwx--x") {
			t.Errorf("%s is %s", name, mode)
		}
	}
	p.noSecret(t)
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestUserIsNone: if a file cannot be shown to the job's user, nothing is kept of it.
func TestUserIsNone(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: 1<<32 - 1, GID: jobUID}}, "")
	kit.Must(t, err)
	defer f.Close()
	wantError(t, "Write", f.Write(credentials()), "kept/.aws.alpha.env: invalid argument")
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
	kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}, userPlace+"="+p.dir)
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
		"rename issued.json":  func() error { return os.Rename(p.issued(7), filepath.Join(p.secret(7), "x")) },
		"replace the record":  func() error { return os.Rename(p.env(7), filepath.Join(p.folder(7), "job.json")) },
		"list secret":         func() error { _, err := os.ReadDir(p.secret(7)); return err },
		"fill secret":         func() error { return os.Mkdir(filepath.Join(p.secret(7), "x"), 0o700) },
		"fill the env file":   func() error { _, err := os.OpenFile(p.env(7), os.O_WRONLY|os.O_APPEND, 0); return err },
		"open the env file":   func() error { return os.Chmod(p.env(7), 0o644) },
		"move the env file":   func() error { return os.Rename(p.env(7), filepath.Join(p.own(7), "x")) },
		"remove the env file": func() error { return os.Remove(p.env(7)) },
		"rename secret":       func() error { return os.Rename(p.secret(7), filepath.Join(p.folder(7), "x")) },
		"remove secret":       func() error { return os.Remove(p.secret(7)) },
		"remove own":          func() error { return os.Remove(p.own(7)) },
		"link issued.json":    func() error { return os.Link(p.issued(7), filepath.Join(p.secret(7), "x")) },
		"make a file":         func() error { return os.WriteFile(filepath.Join(p.folder(7), "x"), nil, 0o600) },
		"make a job":          func() error { return os.Mkdir(p.folder(8), 0o700) },
		"lock the folder":     func() error { _, err := os.Open(p.folder(7)); return err },
	} {
		if err := try(); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("uid %d can %s: %v", os.Getuid(), what, err)
		}
	}
}
