// Package draft writes files whole or not at all. A draft has no name while it is written, so that
// nothing of it is left when its process is killed.
package draft

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// File is the next content of a file. It must be closed.
type File struct {
	*os.File

	path  string
	spare string // the name of the draft; empty: it has none
}

// A draft waits that long for another one of the same file, and so long between two tries.
const (
	lockTime  = 5 * time.Second
	lockPause = time.Millisecond
)

// New returns an empty draft of the file at path, with mode 0600. Its folder must exist. A file
// system that has no files without a name, such as NFS, gets one beside the file, with a name
// that the next draft of the file takes away.
func New(path string) (*File, error) {
	dir := filepath.Dir(path)
	f, err := os.OpenFile(dir, unix.O_TMPFILE|os.O_WRONLY, 0o600)
	if err == nil {
		d := &File{File: f, path: path}
		return d, d.own()
	}
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return nil, err
	}
	return newNamed(path)
}

// newNamed is New on a file system that has no files without a name.
func newNamed(path string) (*File, error) {
	f := &File{path: path, spare: spareOf(path)}
	err := f.wait(func() (err error) {
		f.File, err = os.OpenFile(f.spare, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return f.own()
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// own locks a draft, so that others do not take it for one that is left. It fails if one has done
// so.
func (f *File) own() error {
	var stat unix.Stat_t
	fd := int(f.Fd())
	err := errors.Join(unix.Flock(fd, unix.LOCK_EX), unix.Fstat(fd, &stat))
	if err == nil && f.spare != "" && stat.Nlink == 0 {
		err = fs.ErrExist
	}
	if err != nil {
		return errors.Join(err, f.File.Close())
	}
	return nil
}

// wait calls take, which takes the name of the draft, until no other draft has it. One that a
// process has left which was killed is removed.
func (f *File) wait(take func() error) error {
	for begin := time.Now(); ; time.Sleep(lockPause) {
		err := take()
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if time.Since(begin) > lockTime {
			return fmt.Errorf("another process writes %s: %w", f.path, err)
		}
		if err := clear(spareOf(f.path)); err != nil {
			return err
		}
	}
}

// clear removes a draft, unless its process lives: then the draft is locked.
func clear(spare string) error {
	fd, err := unix.Open(spare, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return remove(spare) // it is no draft
	}
	defer unix.Close(fd) //nolint:errcheck // it was only read
	var own, named unix.Stat_t
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil
	}
	if unix.Fstat(fd, &own) != nil || unix.Lstat(spare, &named) != nil || own.Ino != named.Ino {
		return nil // it has become the file
	}
	return remove(spare)
}

// spareOf returns the name that a draft has beside the file at path.
func spareOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
}

// Finish gives the draft its mode, and waits for the disk.
func (f *File) Finish(mode fs.FileMode) error { return errors.Join(f.Chmod(mode), f.Sync()) }

// Create gives the draft the name of the file, and fails with an fs.ErrExist if that is there.
func (f *File) Create() error {
	if f.spare == "" {
		return f.link(f.path)
	}
	return f.named(unix.Renameat2(unix.AT_FDCWD, f.spare, unix.AT_FDCWD, f.path, unix.RENAME_NOREPLACE))
}

// Replace puts the draft in the place of the file, if there is one. If the process is killed
// meanwhile, the whole draft can be left beside the file. The next Replace of the file takes it
// away.
func (f *File) Replace() error {
	if f.spare == "" {
		spare := spareOf(f.path)
		if err := f.wait(func() error { return f.link(spare) }); err != nil {
			return err
		}
		f.spare = spare
	}
	return f.named(os.Rename(f.spare, f.path))
}

// link gives a draft without a name that name.
func (f *File) link(name string) error {
	from := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	if err := unix.Linkat(unix.AT_FDCWD, from, unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
		return &fs.PathError{Op: "create", Path: name, Err: err}
	}
	return nil
}

// named returns err, and notes that the draft has the name of the file if there is none.
func (f *File) named(err error) error {
	if err != nil {
		return &fs.PathError{Op: "create", Path: f.path, Err: err}
	}
	f.spare = ""
	return nil
}

// Close ends the draft. Without a Create or Replace nothing of it is left.
func (f *File) Close() error {
	var err error
	if f.spare != "" {
		err = remove(f.spare) // while it is locked
	}
	return errors.Join(err, f.File.Close())
}

// remove removes a file, if it is there.
func remove(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
