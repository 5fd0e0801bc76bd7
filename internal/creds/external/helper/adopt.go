package helper

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/script"
)

// killTime is how long what a helper has left may take to die.
const killTime = 5 * time.Second

// adopt makes this process the parent of all that its new children leave, in whatever session. The
// function kill kills and reaps the children that are not there yet. What was started before, such as
// the keeper of a container, lives on; so nothing else may be started before kill is called.
//
// https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html
func adopt() (kill func(), err error) {
	before := script.Children()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return nil, err
	}
	return func() {
		defer func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }() // it was set before
		for deadline := time.Now().Add(killTime); killNew(before) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}, nil
}

// killNew kills and reaps the children that are not among those before, and reports whether there
// were any: each may leave children of its own.
func killNew(before []int) bool {
	left := slices.DeleteFunc(script.Children(), func(pid int) bool { return slices.Contains(before, pid) })
	for _, pid := range left {
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // it may take a moment
	}
	return len(left) > 0
}
