package state_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestQuotaUnknown: credentials are not asked for where it is not known how many were, and not
// where they cannot be counted.
func TestQuotaUnknown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plant func(root string) error
		want  string
	}{
		"no root":           {os.Remove, "no such file"},
		"no folder":         {func(root string) error { return os.WriteFile(filepath.Join(root, "requests"), nil, 0o600) }, "requests: not a folder"},
		"a link":            {func(root string) error { return os.Symlink("/tmp", filepath.Join(root, "requests")) }, "requests: not a folder"},
		"a folder":          {func(root string) error { return os.MkdirAll(filepath.Join(root, "requests/alpha.42"), 0o700) }, "alpha.42: not a regular file"},
		"a new one in use":  {func(root string) error { return os.MkdirAll(filepath.Join(root, "requests/new"), 0o700) }, "new: is a directory"},
		"a file of a novel": {novel, "alpha.42: larger than 1048576 bytes"},
	} {
		p := newPlace(t)
		kit.Must(t, os.MkdirAll(p.root, 0o700))
		kit.Must(t, test.plant(p.root))
		for what, change := range map[string]func(string, int) error{"take": quota(42).Take, "count": quota(42).Count} {
			if err := change(p.root, 1); err == nil || fault.CodeOf(err) == fault.TooMany || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s, %s: %v, want %q", name, what, err, test.want)
			}
		}
	}
}

// novel writes a file of requests that is too long to be read.
func novel(root string) error {
	line := fmt.Sprintf("%d 1\n", time.Now().UnixMilli())
	return errors.Join(os.Mkdir(filepath.Join(root, "requests"), 0o700),
		os.WriteFile(filepath.Join(root, "requests/alpha.42"), []byte(strings.Repeat(line, 1<<20/len(line)+1)), 0o600))
}

// TestQuotaNotWritten: a count that cannot be written is an error, and the file stays as it was.
func TestQuotaNotWritten(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]kit.Call{
		"rename": {Number: unix.SYS_RENAMEAT}, "lock": {Number: unix.SYS_FLOCK}, "create": {Number: unix.SYS_OPENAT, Arg: 2, Mask: unix.O_EXCL, Has: unix.O_EXCL},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, in := denied(t)
			if !in {
				return
			}
			kit.Must(t, os.MkdirAll(p.root, 0o700))
			kit.Must(t, quota(42).Take(p.root, 1))
			file := filepath.Join(p.root, "requests", "alpha.42")
			before, err := os.ReadFile(file)
			kit.Must(t, err)
			kit.Must(t, kit.Deny(unix.EIO, call))
			if err := quota(42).Take(p.root, 1); !errors.Is(err, unix.EIO) {
				t.Errorf("error %v", err)
			}
			if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
				t.Errorf("the file is %q, %v, want %q", after, err, before)
			}
		})
	}
}

// TestQuotaSweptLater: a sweep leaves the files alone while somebody counts, and those that a
// link leads to always.
func TestQuotaSweptLater(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	dir, other := filepath.Join(p.root, "requests"), filepath.Join(p.dir, "other")
	old := time.Now().Add(-3 * time.Minute)
	for _, path := range []string{dir, other} {
		kit.Must(t, os.MkdirAll(path, 0o700))
		file := filepath.Join(path, "alpha.42")
		kit.Must(t, errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, old, old)))
	}
	sweep := func() {
		_, err := state.Sweep(t.Context(), p.root, nil, nil)
		kit.Must(t, err)
	}
	counts, err := os.Open(dir)
	kit.Must(t, err)
	kit.Must(t, unix.Flock(int(counts.Fd()), unix.LOCK_EX))
	sweep()
	if _, err := os.Stat(filepath.Join(dir, "alpha.42")); err != nil {
		t.Errorf("while somebody counts: %v", err)
	}
	kit.Must(t, errors.Join(counts.Close(), os.RemoveAll(dir), os.Symlink(other, dir)))
	sweep()
	if _, err := os.Stat(filepath.Join(other, "alpha.42")); err != nil {
		t.Errorf("behind a link: %v", err)
	}
}
