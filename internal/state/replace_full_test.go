package state_test

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestReplaceOnFullDisk: wherever the room ends, the job has no credential that the driver
// does not know, and Replace can be called again.
func TestReplaceOnFullDisk(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	for _, test := range []struct{ inodes, pages int }{{0, 9}, {1, 9}, {2, 9}, {9, 0}, {9, 1}} {
		t.Run(fmt.Sprintf("%d-%d", test.inodes, test.pages), func(t *testing.T) {
			p := newPlace(t)
			kit.Mount(t, p.root, "", 0)
			f := p.writeFile(t)
			leave(t, p.root, test.inodes, test.pages)
			wantError(t, "Replace", replace(f, fresh(1)), "no space left on device")
			p.checkWhole(t)
			leave(t, p.root, 9, 9)
			kit.Must(t, replace(f, fresh(2)))
			p.checkWhole(t)
			p.remove(t, 7)
			p.gone(t, 7)
		})
	}
}

// leave leaves room for so many names and pages on the tmpfs at dir.
func leave(t *testing.T, dir string, inodes, pages int) {
	t.Helper()
	var stat unix.Statfs_t
	kit.Must(t, unix.Statfs(dir, &stat))
	size := (int64(stat.Blocks-stat.Bfree) + int64(pages)) * stat.Bsize
	kit.Must(t, unix.Mount("", dir, "", unix.MS_REMOUNT, fmt.Sprintf("nr_inodes=%d,size=%d", int(stat.Files-stat.Ffree)+inodes, size)))
}

// TestReplaceObstructed: what stands in the way in the driver's own folder is named, and
// no file is left beside those that were there.
func TestReplaceObstructed(t *testing.T) {
	t.Parallel()
	for want, plant := range map[string]func(p place) error{
		"issued.new: is a directory":      func(p place) error { return os.Mkdir(filepath.Join(p.folder(7), "issued.new"), 0o700) },
		"7/secret: no such file":          func(p place) error { return os.RemoveAll(p.secret(7)) },
		"7/kept: not a folder but a link": func(p place) error { return exchange(filepath.Join(p.folder(7), "kept")) },
	} {
		p := newPlace(t)
		f := p.writeFile(t)
		kit.Must(t, f.Enter(entering(7, time.Hour))) // the ledger is there before
		kit.Must(t, plant(p))
		before := modes(t, p.dir)
		wantError(t, want, replace(f, fresh(1)), want)
		if after := modes(t, p.dir); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: %v, before %v", want, after, before)
		}
	}
}

// exchange puts a link to a folder in the place of the folder.
func exchange(path string) error {
	if err := os.Rename(path, path+"x"); err != nil {
		return err
	}
	return os.Symlink(path+"x", path)
}

// TestKeysDirFull: where the folder for keys cannot be made, the error says why.
func TestKeysDirFull(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	root := filepath.Join(t.TempDir(), "root")
	kit.Mount(t, root, "nr_inodes=1", 0)
	dir, err := state.KeysDir(root)
	if dir != "" {
		t.Errorf("it gives %q", dir)
	}
	wantError(t, "KeysDir", err, root+"/keys: no space left on device")
}

// TestNotOverwritten: where a process may not write as far as a secret reaches, as under
// LimitFSIZE of a service, Remove says that the secret was not overwritten, and takes
// its name away.
func TestNotOverwritten(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) { // the limit is of the whole process
		return
	}
	p := newPlace(t)
	f := p.write(t, 7)
	defer f.Close()
	signal.Ignore(syscall.SIGXFSZ)
	kit.Must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 8, Max: unix.RLIM_INFINITY}))
	err := state.Remove(p.root, key(7))
	kit.Must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}))
	wantError(t, "Remove", err, "issued.json: file too large")
	for _, path := range []string{p.issued(7), p.env(7)} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	p.remove(t, 7)
	p.gone(t, 7)
}
