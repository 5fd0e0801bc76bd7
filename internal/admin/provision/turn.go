package provision

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// turnPath is a file that only root can open. Who has locked it makes users and folders.
const turnPath = "/run/rolecall-provision.lock"

// turnTime is how long a Turn waits for another one, and turnPause how long between two tries.
const (
	turnTime  = 2 * time.Minute
	turnPause = 20 * time.Millisecond
)

// Turn is the right to make what a host lacks. Only one process has it, until it closes the Turn
// or ends. Plan behind it: another process may have made something meanwhile.
type Turn struct{ file *os.File }

// Take waits for the Turn, for two minutes. A user who is not root can make nothing, and needs none.
func Take() (Turn, error) { return takeFor(turnTime) }

// takeFor is Take for another time.
func takeFor(wait time.Duration) (Turn, error) {
	if os.Geteuid() != 0 {
		return Turn{}, nil
	}
	f, err := os.OpenFile(turnPath, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return Turn{}, err
	}
	for end := time.Now().Add(wait); ; time.Sleep(turnPause) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) && time.Now().After(end) {
			err = fmt.Errorf("another rolecall provision makes users and folders, and keeps %s locked: let it end, or find it by fuser -v %s", turnPath, turnPath)
		} else if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return Turn{}, errors.Join(err, f.Close())
		}
		return Turn{f}, nil
	}
}

// Close ends the Turn.
func (t Turn) Close() error {
	if t.file == nil {
		return nil
	}
	return t.file.Close()
}
