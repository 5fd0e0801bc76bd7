package audit

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/internal/fault"
)

// lockTime is how long Write waits for other processes that write to the log, tellTime how
// long a Trail does, whose lines no job needs, and lockPause how long both wait between two
// attempts.
const (
	lockTime  = 2 * time.Second
	tellTime  = 300 * time.Millisecond
	lockPause = 2 * time.Millisecond
)

// Log is the audit log at Path, an absolute path. With an empty Path, Write does
// nothing.
type Log struct {
	Path string

	wait time.Duration // for other processes; 0: lockTime
}

// Write appends the event as one line. If it fails, the log is unchanged. Write creates
// a log that does not exist, with mode 0600: so logrotate(8) only needs to rename the
// old file. It fails if anybody but root and the process's user can change the log or
// its folder, by the rules of package adminfile.
//
// Errors name the path and what to do. They are a fault.Admin, except for a full or
// read-only disk and a log that another process keeps locked: these are
// fault.Infrastructure, since they can pass.
func (l Log) Write(e Event) error {
	if l.Path == "" {
		return nil
	}
	return l.explain(l.write(e))
}

// explain returns an error with the path of the log and what to do, and nil for none.
func (l Log) explain(err error) error {
	if err == nil {
		return nil
	}
	code, next := advise(err)
	return fault.New(code, fmt.Errorf("audit log %s: %w", l.Path, err), next)
}

// write does what Write does, with errors that do not name the log.
func (l Log) write(e Event) error {
	line, err := e.line(time.Now())
	if err != nil {
		return err
	}
	return l.locked(func(f *os.File) error { return appendLine(f, line) })
}

// locked opens the log, locks it, and calls do.
func (l Log) locked(do func(*os.File) error) error {
	f, err := l.open()
	if err != nil {
		return err
	}
	if err = lock(f, cmp.Or(l.wait, lockTime)); err == nil {
		err = do(f)
	}
	return errors.Join(err, f.Close())
}

// open opens the log, or creates it, and checks it and its folder.
func (l Log) open() (*os.File, error) {
	if err := adminfile.Check(filepath.Dir(l.Path)); err != nil {
		return nil, err
	}
	const flags = unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK
	fd, err := unix.Open(l.Path, flags|unix.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), l.Path)
	if err := adminfile.CheckFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// errLocked says that another process keeps the log locked.
var errLocked = errors.New("another process keeps it locked")

// lock locks the log against other processes, for which it waits that long. Closing the
// file unlocks it.
func lock(f *os.File, wait time.Duration) error {
	for end := time.Now().Add(wait); ; time.Sleep(lockPause) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) && time.Now().After(end) {
			return errLocked
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// appendLine appends line with one write. If the write is short, it truncates the file
// to its old length. If a crash left an unfinished line, it writes a newline first.
func appendLine(f *os.File, line []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	unfinished, err := isUnfinished(f, info.Size())
	if err != nil {
		return err
	}
	if unfinished {
		line = append([]byte{'\n'}, line...)
	}
	if _, err = f.Write(line); err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	return nil
}

// isUnfinished reports whether the last line of a log of that size has no newline.
func isUnfinished(f *os.File, size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	last := make([]byte, 1)
	_, err := f.ReadAt(last, size-1)
	return last[0] != '\n', err
}

// advise returns the code of an error and what to do. The advice is empty if the
// error itself says what to do.
func advise(err error) (fault.Code, string) {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fault.Shortage, "make room on its disk"
	case errors.Is(err, errLocked):
		return fault.LogLocked, "find the process with lsof, and let only the owner read the log: chmod go-rwx"
	case errors.Is(err, unix.EFBIG):
		return fault.BadAuditLog, "rotate the log, or raise LimitFSIZE of the runner's service"
	case errors.Is(err, unix.ENOENT):
		return fault.BadAuditLog, "create its folder: install -d -m 0750"
	case errors.Is(err, unix.ELOOP):
		return fault.BadAuditLog, "replace the symbolic link by the file itself"
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return fault.BadAuditLog, "the audit log must be a regular file; choose another path"
	case errors.Is(err, unix.EROFS):
		return fault.Shortage, "put the log on a disk that can be written to"
	}
	return fault.BadAuditLog, ""
}
