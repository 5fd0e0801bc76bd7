package inspect_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate/inspect"
	"rolecall/internal/gate/scan"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestRemoved: what must not be uploaded is removed from the work tree, and its content
// overwritten, but nothing else is changed by it.
func TestRemoved(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	write(t, o, "leak", secret)
	write(t, o, "d/closed", secret)
	kit.Must(t, os.Chmod(filepath.Join(o.Project, "d/closed"), 0o400))
	write(t, o, "clean", "nothing")
	outside := t.TempDir()
	shared := filepath.Join(outside, "shared")
	kit.Must(t, os.WriteFile(shared, []byte(secret), 0o600))
	kit.Must(t, os.Link(shared, filepath.Join(o.Project, "linked")))
	open, err := os.Open(filepath.Join(o.Project, "leak"))
	kit.Must(t, err)
	defer open.Close()
	for _, place := range serve(t, o).Found {
		if !place.Removed {
			t.Errorf("%+v is not removed", place)
		}
	}
	for name, stays := range map[string]bool{"leak": false, "d/closed": false, "linked": false, "clean": true} {
		if _, err := os.Lstat(filepath.Join(o.Project, name)); os.IsNotExist(err) == stays {
			t.Errorf("%s: %v, stays: %t", name, err, stays)
		}
	}
	content := make([]byte, 100)
	n, _ := open.Read(content)
	if n != len(secret) || strings.Trim(string(content[:n]), "\x00") != "" {
		t.Errorf("the removed file has the content %q", content[:n])
	}
	if content, err := os.ReadFile(shared); string(content) != secret {
		t.Errorf("the other name of a file has the content %q, %v", content, err)
	}
}

// TestNotRemoved: no link is followed to remove a file, and a file whose name cannot be
// known stays. The report says so.
func TestNotRemoved(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim.json")
	kit.Must(t, os.WriteFile(victim, []byte(secret), 0o600))
	kit.Must(t, os.Symlink(victim, filepath.Join(o.Project, "link.json")))
	kit.Must(t, os.Symlink(outside, filepath.Join(o.Project, "dir")))
	write(t, o, secret, "nothing")
	for _, path := range []string{"link.json", "dir/victim.json"} {
		o.Uploads.Artifacts = append(o.Uploads.Artifacts, job.Artifact{Type: "codequality", Format: "raw", Paths: []string{path}})
	}
	got := serve(t, o)
	var says []string
	for _, place := range got.Found {
		if says = append(says, place.Name+": "+place.Says+"; "+place.Stays); place.Removed {
			t.Errorf("%+v is removed", place)
		}
	}
	for _, want := range []string{
		"link.json: session token; ", "dir/victim.json: session token; its folder: ",
		"[MASKED]: session token; its name holds a secret",
	} {
		if !strings.Contains(strings.Join(says, "\n"), want) {
			t.Errorf("no %q in\n%s", want, strings.Join(says, "\n"))
		}
	}
	for _, path := range []string{victim, filepath.Join(o.Project, secret), filepath.Join(o.Project, "link.json")} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	if content, _ := os.ReadFile(victim); string(content) != secret {
		t.Errorf("the file behind the links has the content %q", content)
	}
}

// folder opens a folder, for Shred.
func folder(t *testing.T, path string) int {
	t.Helper()
	dir, err := os.Open(path)
	kit.Must(t, err)
	t.Cleanup(func() { kit.Must(t, dir.Close()) })
	return int(dir.Fd())
}

// TestShredReadOnly: a file that its own user has closed to itself is removed.
func TestShredReadOnly(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user who has no rights of root")
	}
	if !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61932, Gid: 61932}}) {
		return
	}
	dir := t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(dir, "closed"), []byte(secret), 0o400))
	kit.Must(t, inspect.Shred(folder(t, dir), "closed"))
	if _, err := os.Lstat(filepath.Join(dir, "closed")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// TestShredIrregular: what has come in the place of a file is not written to, and stays.
func TestShredIrregular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "fifo")
	kit.Must(t, unix.Mkfifo(path, 0o600))
	reader, err := os.OpenFile(path, os.O_RDWR, 0)
	kit.Must(t, err)
	defer reader.Close()
	if err := inspect.Shred(folder(t, dir), "fifo"); !errors.Is(err, scan.ErrIrregular) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Error(err)
	}
}

// TestShredFull: a file whose content cannot be overwritten, since it has holes and the disk
// is full, is removed, and there is an error.
func TestShredFull(t *testing.T) {
	if !kit.InMounts(t, "a disk that is full") {
		return
	}
	dir := filepath.Join(t.TempDir(), "disk")
	kit.Mount(t, dir, "size=8k", 0)
	kit.Must(t, os.WriteFile(filepath.Join(dir, "holes"), []byte(secret), 0o600))
	kit.Must(t, os.Truncate(filepath.Join(dir, "holes"), 1<<20))
	if err := inspect.Shred(folder(t, dir), "holes"); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "holes")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// TestShredUnknown: what cannot be looked at is not written to.
func TestShredUnknown(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	dir := t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(dir, "file"), []byte(secret), 0o600))
	at := folder(t, dir)
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_FSTAT}))
	if err := inspect.Shred(at, "file"); !errors.Is(err, unix.EIO) {
		t.Errorf("error %v", err)
	}
}

// TestFolderIsGone: an error says that the folder of a file is gone.
func TestFolderIsGone(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	if err := inspect.RemoveUpload(none, "file"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an upload: %v", err)
	}
	if err := inspect.RemoveFound(filepath.Join(none, "file")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of what a job has left: %v", err)
	}
}
