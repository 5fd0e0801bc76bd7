package draft_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/draft"
	"rolecall/test/kit"
)

// write writes a file as a whole.
func write(path, content string, replace bool) error {
	d, err := draft.New(path)
	if err != nil {
		return err
	}
	if _, err = d.WriteString(content); err == nil {
		err = d.Finish(0o640)
	}
	if err == nil && replace {
		err = d.Replace()
	} else if err == nil {
		err = d.Create()
	}
	return errors.Join(err, d.Close())
}

// check checks the content of the only file of a folder.
func check(t *testing.T, path, want string) {
	t.Helper()
	content, err := os.ReadFile(path)
	kit.Must(t, err)
	info, err := os.Stat(path)
	kit.Must(t, err)
	entries, err := os.ReadDir(filepath.Dir(path))
	kit.Must(t, err)
	if string(content) != want || info.Mode() != 0o640 || len(entries) != 1 {
		t.Errorf("it has %q, mode %v, beside %v, want %q", content, info.Mode(), entries, want)
	}
}

// checkWrites checks all ways to write a file.
func checkWrites(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	for _, spoil := range []func() error{
		func() error { return nil }, func() error { return os.WriteFile(path, []byte("before"), 0o640) },
		func() error {
			return os.WriteFile(filepath.Join(filepath.Dir(path), ".file.new"), []byte("left"), 0o600)
		},
	} {
		kit.Must(t, spoil())
		kit.Must(t, write(path, "one", true))
		check(t, path, "one")
	}
	if err := write(path, "two", false); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file that exists: %v", err)
	}
	check(t, path, "one")
	kit.Must(t, os.Remove(path))
	kit.Must(t, write(path, "three", false))
	check(t, path, "three")
	d, err := draft.New(path)
	kit.Must(t, err)
	kit.Must(t, d.Close())
	check(t, path, "three")
	if _, err := draft.New(filepath.Join(path, "none")); err == nil {
		t.Error("a folder that is none")
	}
}

// TestWrite: a file is created or replaced as a whole, and nothing is left beside it.
func TestWrite(t *testing.T) {
	t.Parallel()
	checkWrites(t)
	checkAtOnce(t)
}

// TestWriteNamed: so it is on a file system that has no files without a name.
func TestWriteNamed(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	kit.Must(t, kit.Deny(unix.EOPNOTSUPP, kit.Call{Number: unix.SYS_OPENAT, Arg: 2, Mask: unix.O_TMPFILE, Has: unix.O_TMPFILE}))
	checkWrites(t)
	checkAtOnce(t)
}

// checkAtOnce checks that of those that replace a file at once each one succeeds, and the file is
// whole.
func checkAtOnce(t *testing.T) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if err := write(path, "whole", true); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	check(t, path, "whole")
}
