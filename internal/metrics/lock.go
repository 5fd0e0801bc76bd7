package metrics

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// lockPause is how long lock waits between two attempts.
const lockPause = 2 * time.Millisecond

// lock locks a file, which it makes. It returns no function if another process keeps it locked for
// that long.
func lock(path string, patience time.Duration) (unlock func(), err error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CREAT|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(lockPause) {
		if err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err == nil {
			return func() { _ = unix.Close(fd) }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || !time.Now().Before(end) {
			break
		}
	}
	_ = unix.Close(fd)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}
