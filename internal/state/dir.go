package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// dir is an open folder. All access to its content goes through the descriptor, and no
// link in it is followed.
type dir struct {
	fd    int
	path  string
	owner uint32
}

// foreignError is the refusal of a folder that belongs to another user.
type foreignError struct {
	path string
	uid  uint32
}

// Error names the folder and its owner.
func (e foreignError) Error() string {
	return fmt.Sprintf("%s belongs to user %d, not to user %d who runs the driver; remove it", e.path, e.uid, os.Geteuid())
}

// openDir opens the folder name in the folder parent, which may be unix.AT_FDCWD. It
// fails if name is a link, or if the folder belongs to another user. The error is a
// foreignError even if another user's folder cannot be opened.
func openDir(parent int, name, path string) (dir, error) {
	d, err := openAnyDir(parent, name, path)
	if isMe(d.owner) {
		return d, err
	}
	if err == nil {
		d.close()
	}
	return dir{}, foreignError{path, d.owner}
}

// isMe reports whether uid is that of the driver's user.
func isMe(uid uint32) bool { return int(uid) == os.Geteuid() }

// openAnyDir is openDir for a folder of any user.
func openAnyDir(parent int, name, path string) (dir, error) {
	fd, owner, err := openat(parent, name, path, unix.S_IFDIR, unix.O_RDONLY)
	return dir{fd, path, owner}, err
}

// openat opens name in the folder parent if it is of the kind, and returns its owner. If
// another user's file cannot be opened, the owner is returned beside the error. openat
// follows no link, and opens the very file that it has examined. If a job has taken
// rights away from a file of this user, openat restores them, but only in a folder of
// this user: in a folder of the job, a file of this user is one that the job has linked
// there (proc_sys_fs(5), protected_hardlinks).
func openat(parent int, name, path string, kind uint32, flags int) (int, uint32, error) {
	own := uint32(os.Geteuid()) //nolint:gosec // an id of a user
	handle, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, own, fmt.Errorf("%s: %w", path, err)
	}
	defer dir{fd: handle}.close()
	var stat unix.Stat_t
	if err := unix.Fstat(handle, &stat); err != nil {
		return -1, own, fmt.Errorf("%s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != kind {
		return -1, own, fmt.Errorf("%s: %w", path, kindError(kind))
	}
	if mode := stat.Mode | ownerRights(kind); stat.Uid == own && mode != stat.Mode && isOwn(parent) {
		_ = unix.Chmod(procPath(handle), mode&0o7777) // if the rights do not suffice, opening fails
	}
	fd, err := unix.Open(procPath(handle), flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, stat.Uid, fmt.Errorf("%s: %w", path, reopenError(err))
	}
	return fd, stat.Uid, nil
}

// isOwn reports whether a folder belongs to this user. unix.AT_FDCWD counts as its own:
// only folders are opened by their paths, and a folder has no second name.
func isOwn(parent int) bool {
	if parent == unix.AT_FDCWD {
		return true
	}
	var stat unix.Stat_t
	return unix.Fstat(parent, &stat) == nil && int(stat.Uid) == os.Geteuid()
}

// reopenError returns err, why an open file cannot be opened again. The file exists: what
// does not is /proc, and that must not pass for a file that nobody has made.
func reopenError(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return errors.New("it cannot be opened without /proc; mount /proc")
	}
	return err
}

// ownerRights returns the rights that a stage needs to a file or folder.
func ownerRights(kind uint32) uint32 {
	if kind == unix.S_IFDIR {
		return 0o700
	}
	return 0o600
}

// errNoFolder says that something else stands in the place of a folder.
var errNoFolder = errors.New("not a folder but a link or a file; remove it")

// kindError returns the error that something is not of a kind.
func kindError(kind uint32) error {
	if kind == unix.S_IFDIR {
		return errNoFolder
	}
	return errors.New("not a regular file")
}

// procPath returns a path that leads to the open file even if the file is renamed.
func procPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// close releases the descriptor.
func (d dir) close() { _ = unix.Close(d.fd) }

// join returns the path of name in d, for messages.
func (d dir) join(name string) string { return filepath.Join(d.path, name) }

// errExists says that a file or folder is in the way.
var errExists = errors.New("already exists, and is left unchanged; find out who made it, then remove it")

// errorf puts the path of name before an error; nil stays nil.
func (d dir) errorf(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		err = errExists
	}
	return fmt.Errorf("%s: %w", d.join(name), err)
}

// stat describes d itself.
func (d dir) stat() (unix.Stat_t, error) {
	var stat unix.Stat_t
	err := unix.Fstat(d.fd, &stat)
	return stat, d.errorf("", err)
}

// lock locks d until d is closed: with unix.LOCK_SH to work with it, with LOCK_EX to
// remove it. If another process has the other lock, the error is an EWOULDBLOCK.
func (d dir) lock(how int) error {
	if err := unix.Flock(d.fd, how|unix.LOCK_NB); err != nil {
		return fmt.Errorf("%s: another stage uses or removes this folder: %w", d.path, err)
	}
	return nil
}

// lockFor is lock with unix.LOCK_EX, but tries again for the time patience. A lock may be held for a
// moment only: a process that was just forked has it until it executes its program.
func (d dir) lockFor(patience time.Duration) error {
	for begin := time.Now(); ; time.Sleep(lockPause) {
		if err := d.lock(unix.LOCK_EX); !errors.Is(err, unix.EWOULDBLOCK) || time.Since(begin) >= patience {
			return err
		}
	}
}

// mkdir makes and opens a folder in d that only its owner can enter. If a umask takes
// rights away from the owner, openDir restores them.
func (d dir) mkdir(name string) (dir, error) {
	if err := unix.Mkdirat(d.fd, name, 0o700); err != nil {
		return dir{}, d.errorf(name, err)
	}
	return openDir(d.fd, name, d.join(name))
}

// create writes a new file that only its owner can read. If name exists, it is left
// unchanged, and create fails. If the write fails, no file is left.
func (d dir) create(name string, content []byte) error {
	fd, err := unix.Openat(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return d.errorf(name, err)
	}
	if err := fillFile(os.NewFile(uintptr(fd), d.join(name)), content); err != nil {
		return errors.Join(err, d.shred(name))
	}
	return nil
}

// fillFile writes the content of a new file, syncs and closes it. A umask may have taken
// more rights away than the file's mode says.
func fillFile(f *os.File, content []byte) error {
	err := f.Chmod(0o600)
	if err == nil {
		_, err = f.Write(content)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// read returns the content of the regular file name, which must belong to this user and
// have at most limit bytes.
func (d dir) read(name string, limit int64) ([]byte, error) {
	fd, owner, err := openat(d.fd, name, d.join(name), unix.S_IFREG, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), d.join(name))
	defer f.Close()
	if int(owner) != os.Geteuid() {
		return nil, foreignError{f.Name(), owner}
	}
	var content bytes.Buffer
	if info, err := f.Stat(); err == nil {
		content.Grow(int(min(info.Size(), limit)) + bytes.MinRead) // nothing is copied while it is read
	}
	_, err = content.ReadFrom(io.LimitReader(f, limit+1))
	if err == nil && int64(content.Len()) > limit {
		err = d.errorf(name, fmt.Errorf("larger than %d bytes", limit))
	}
	return content.Bytes(), err
}
