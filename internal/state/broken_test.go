package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// noCopy checks that Write fails with an error, and leaves no credential.
func noCopy(t *testing.T, p place, f *state.Folder, want string) {
	t.Helper()
	wantError(t, "Write", f.Write(withFile()), want)
	for _, path := range []string{p.issued(7), p.env(7), p.file(), filepath.Join(p.folder(7), "kept", ".aws.alpha.env")} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
}

// TestWriteWithoutFolders: where the folders for the job's files are something else, nothing
// is written.
func TestWriteWithoutFolders(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"kept", "secret"} {
		p := newPlace(t)
		f := create(t, p, 7)
		kit.Must(t, os.Remove(filepath.Join(p.folder(7), name)))
		kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), name), nil, 0o600))
		noCopy(t, p, f, name+": not a folder but a link or a file")
	}
}

// TestWriteCannotShow: files that cannot be shown to their user are not left.
func TestWriteCannotShow(t *testing.T) {
	kit.NeedRoot(t, "a job of another user")
	t.Parallel()
	for name, call := range map[string]kit.Call{
		"list": {Number: unix.SYS_FSETXATTR}, "mode": {Number: unix.SYS_FCHMOD, Arg: 1, Mask: 0o7777, Has: 0o711},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			p := newPlace(t)
			f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}}, "")
			kit.Must(t, err)
			defer f.Close()
			kit.Must(t, kit.Deny(unix.EIO, call))
			noCopy(t, p, f, "input/output error")
		})
	}
}

// withFew calls do with one descriptor that can be opened, with two, and so on, until it does
// not fail. Until then its error must say that there are too few.
func withFew(t *testing.T, do func() error) {
	t.Helper()
	var before syscall.Rlimit
	kit.Must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	for most := uint64(4); most < 50; most++ {
		kit.Must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: before.Max}))
		err := do()
		kit.Must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before))
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.EMFILE) || strings.Contains(err.Error(), "bad file descriptor") {
			t.Errorf("with %d descriptors: %v", most, err)
		}
	}
	t.Error("it fails with 50 descriptors")
}

// TestFewDescriptors: a folder that there is no descriptor for is not taken for an empty one,
// and nothing is written that cannot be shown.
func TestFewDescriptors(t *testing.T) {
	kit.NeedRoot(t, "a job of another user")
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	dir := t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
	withFew(t, func() error { return state.Empty(dir, time.Now().Add(time.Minute)) })
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	p, id := newPlace(t), job.ID(6)
	withFew(t, func() error {
		id++
		f, err := state.Create(p.root, key(id), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}}, "")
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Write(withFile())
	})
}

// TestBrokenFolder: a folder that cannot be read is not taken for an empty one.
func TestBrokenFolder(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) { // which cannot remove its folders
		dir := t.TempDir()
		kit.Must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o600))
		kit.InChild(t, nil, "DIR="+dir)
		return
	}
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_GETDENTS64}))
	if err := state.Empty(os.Getenv("DIR"), time.Now().Add(time.Minute)); !errors.Is(err, unix.EIO) {
		t.Errorf("error %v", err)
	}
}

// TestWithoutLists: where the file system has no access control lists, the files become the
// user's, who cannot write to them.
func TestWithoutLists(t *testing.T) {
	kit.NeedRoot(t, "a job of another user")
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	kit.Must(t, kit.Deny(unix.EOPNOTSUPP, kit.Call{Number: unix.SYS_FSETXATTR}))
	p := forUser(t)
	for _, name := range []string{"root/7/secret/.aws.alpha.env", "root/7/kept/.rolecall.vault.json"} {
		if got := owners(t, p.dir)[name]; got != fmt.Sprintf("-r-------- %d %d", jobUID, jobUID) {
			t.Errorf("%s is %s", name, got)
		}
	}
}
