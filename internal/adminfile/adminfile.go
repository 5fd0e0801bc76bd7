// Package adminfile reads files that only the admin can have written.
package adminfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Read returns the content of the regular file at path, which is absolute, if
// nobody but root and the process's user can have written it: the file and every
// folder and link on the way belong to one of the two, and neither group nor
// others may write to the file or to a folder on the way. Only a sticky folder,
// such as /tmp, may be open to others: what is in it is its owner's. An access
// control list that lets others write counts too, as it shows in the group's rights.
//
// A file of more than limit bytes is an error, and no more are read. Errors name what is wrong and what
// to do. An error is fs.ErrNotExist where there is nothing at path, but not where a
// link leads to nothing: such a file is meant to be there.
func Read(path string, limit int64) ([]byte, error) {
	e, err := find(path)
	if err != nil {
		return nil, err
	}
	defer e.close()
	if err := e.checkTarget(unix.S_IFREG); err != nil {
		return nil, about(path, err)
	}
	content, err := e.read(limit + 1)
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s has more than %d bytes; it is not the file that is meant", e.path, limit)
	}
	if err != nil {
		return nil, about(path, err)
	}
	return content, nil
}

// Check reports an error where somebody but root and the process's user can change
// the file or folder at path, or what stands there: where Read would refuse it, or
// for a folder where others may make files in it, also if it is sticky.
func Check(path string) error {
	e, err := find(path)
	if err != nil {
		return err
	}
	defer e.close()
	return about(path, e.checkTarget(unix.S_IFREG, unix.S_IFDIR))
}

// CheckFile is the part of Read's rules that is about the file itself, for a file
// that is open.
func CheckFile(f *os.File) error {
	e := entry{path: f.Name()}
	if err := unix.Fstat(int(f.Fd()), &e.stat); err != nil {
		return fmt.Errorf("%s: %w", e.path, err)
	}
	if err := e.check(); err != nil {
		return err
	}
	return e.checkTarget(unix.S_IFREG)
}

// read returns the content of a file that was found, up to limit bytes. It opens
// the very file that was looked at.
func (e entry) read(limit int64) ([]byte, error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", e.fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.ENOENT): // the file is there
		return nil, fmt.Errorf("%s cannot be opened; mount /proc", e.path)
	case errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("%s: %w; let user %d read it, by its group or as its owner", e.path, err, os.Geteuid())
	case err != nil:
		return nil, fmt.Errorf("%s: %w", e.path, err)
	}
	f := os.NewFile(uintptr(fd), e.path)
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// about gives an error the path that was asked for, unless it begins with it.
func about(path string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
