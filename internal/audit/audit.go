package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/internal/fault"
)

// lockTime bounds how long a line waits for those of other processes, lockPause how
// often it looks.
const (
	lockTime  = 2 * time.Second
	lockPause = 2 * time.Millisecond
)

// Log is the audit log at Path, which is absolute. An empty Path is no log.
type Log struct{ Path string }

// Write appends the event as one line, or nothing. A log that is not there is made,
// for its owner only, so that one that was renamed goes on in a new file. Nobody
// but root and the process's user may be able to change it or its folder, as
// package adminfile has it.
//
// Errors name the path and what to do. They are a fault.Admin, but for a full disk
// and a lock that others hold, which time may cure.
func (l Log) Write(e Event) error {
	if l.Path == "" {
		return nil
	}
	err := l.write(e)
	if err == nil {
		return nil
	}
	side, next := advise(err)
	return fault.New(side, fmt.Errorf("audit log %s: %w", l.Path, err), next)
}

// write appends the event.
func (l Log) write(e Event) error {
	line, err := e.line(time.Now())
	if err != nil {
		return err
	}
	f, err := l.open()
	if err != nil {
		return err
	}
	if err = lock(f); err == nil {
		err = add(f, line)
	}
	return errors.Join(err, f.Close())
}

// open opens the log, or makes it.
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

// errLocked says that others keep the log.
var errLocked = errors.New("another process keeps it locked")

// lock waits until no other process writes to the log. Closing the file unlocks it.
func lock(f *os.File) error {
	for end := time.Now().Add(lockTime); ; time.Sleep(lockPause) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) && time.Now().After(end) {
			return errLocked
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// add appends a line by one write. Of a line that does not fit nothing stays. Where
// a part of a line is left, of a crash, the new one does not go on with it.
func add(f *os.File, line []byte) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	last := []byte{'\n'}
	if info.Size() > 0 {
		if _, err := f.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
	}
	if last[0] != '\n' {
		line = append([]byte{'\n'}, line...)
	}
	if _, err = f.Write(line); err != nil {
		return errors.Join(err, f.Truncate(info.Size()))
	}
	return nil
}

// advise returns who must act on an error and what to do, where the error itself
// does not say so.
func advise(err error) (fault.Side, string) {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fault.Infrastructure, "make room on its disk"
	case errors.Is(err, errLocked):
		return fault.Infrastructure, "find it with lsof, and let nobody but its owner read the log: chmod go-rwx"
	case errors.Is(err, unix.EFBIG):
		return fault.Admin, "rotate it, or raise LimitFSIZE of the runner's service"
	case errors.Is(err, unix.ENOENT):
		return fault.Admin, "make its folder: install -d -m 0750"
	case errors.Is(err, unix.ELOOP):
		return fault.Admin, "put the file itself where the link stands"
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.ENXIO):
		return fault.Admin, "let it be a regular file"
	case errors.Is(err, unix.EROFS):
		return fault.Infrastructure, "let it be on a disk that can be written to"
	}
	return fault.Admin, ""
}
