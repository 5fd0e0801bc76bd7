// Package adminfile reads files that only root and the driver's user can change.
package adminfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Read returns the content of the regular file at path, an absolute path, if only root
// and the process's user can have written it. The file and each folder and symbolic link
// on the way must belong to one of the two, and neither group nor others may have the
// right to write to the file or to a folder on the way. A sticky folder on the way, such
// as /tmp, may be writable by all: only the owner of a file in it can replace the file.
// An access control list that lets others write is refused too: it shows in the rights
// of the group.
//
// Read fails if the file has more than limit bytes. An error says what is wrong and what
// to do. It is fs.ErrNotExist if nothing exists at path, but not if a symbolic link on
// the way leads to nothing: then the admin wanted a file there.
func Read(path string, limit int64) ([]byte, error) {
	e, err := find(path)
	if err != nil {
		return nil, err
	}
	defer e.close()
	if err := e.checkTarget(unix.S_IFREG); err != nil {
		return nil, withPath(path, err)
	}
	content, err := e.read(limit + 1)
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes: probably the wrong file", e.path, limit)
	}
	if err != nil {
		return nil, withPath(path, err)
	}
	return content, nil
}

// Check fails if anybody but root and the process's user can change or replace the file
// or folder at path. The rules are those of Read. A folder at path must not be writable
// by others, even if it is sticky.
func Check(path string) error {
	e, err := find(path)
	if err != nil {
		return err
	}
	defer e.close()
	return withPath(path, e.checkTarget(unix.S_IFREG, unix.S_IFDIR))
}

// CheckProgram fails if the file at path is not a program, or if anybody but root and the
// process's user can change or replace it. The rules are those of Read.
func CheckProgram(path string) error {
	e, err := find(path)
	if err != nil {
		return err
	}
	defer e.close()
	if err := e.checkTarget(unix.S_IFREG); err != nil {
		return withPath(path, err)
	}
	if e.stat.Mode&executable == 0 {
		return withPath(path, fmt.Errorf("%s is not executable; chmod a+x %s", e.path, e.path))
	}
	return nil
}

// CheckFile checks the open file f by the rules of Read, but not the folders above it.
func CheckFile(f *os.File) error {
	e := entry{fd: int(f.Fd()), path: f.Name()}
	if err := e.examine(); err != nil {
		return err
	}
	return e.checkTarget(unix.S_IFREG)
}

// read returns the content of the entry, up to limit bytes.
func (e entry) read(limit int64) ([]byte, error) {
	f, err := e.reopen()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// reopen opens the entry for reading. It does so by the entry's descriptor, so the
// content is of the file that was checked.
func (e entry) reopen() (*os.File, error) {
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", e.fd), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, e.reopenError(err)
	}
	return os.NewFile(uintptr(fd), e.path), nil
}

// reopenError returns err, why the entry cannot be read, with what to do.
func (e entry) reopenError(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT): // the file exists, so /proc does not
		return fmt.Errorf("%s cannot be opened without /proc; mount /proc", e.path)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%s: %w; let user %d read it: make it the owner, or a member of the file's group", e.path, err, os.Geteuid())
	}
	return fmt.Errorf("%s: %w", e.path, err)
}

// withPath puts path, which the caller named, before an error that does not begin with
// it.
func withPath(path string, err error) error {
	if err == nil || strings.HasPrefix(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
