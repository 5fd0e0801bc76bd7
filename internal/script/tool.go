package script

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts cmd, a program of the driver that handles files of the job, with the rights
// of a script: as the user, with nothing of the driver and no way to more, and in the
// group. Nil is the driver's own user, and no group. The program dies with this process.
// The program sets its limits itself. The caller waits for it before it calls Run; or it
// starts the program while Run runs, and then Run kills it at the end, and may have reaped
// it before. The errors are those of cmd.Start, or say what could not be taken from the
// program.
//
// The calling goroutine stays locked to its thread, and the process keeps umask 077 and no
// core dumps, as after Run with a User.
func Start(cmd *exec.Cmd, as *User, in Group) error {
	runtime.LockOSThread() // PR_SET_PDEATHSIG acts when the thread that forked ends
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := closeOnExec(); err != nil {
		return err
	}
	start := cmd.Start
	if as != nil {
		start = func() error { return as.start(cmd) }
	}
	if in == nil {
		return start()
	}
	return in.Fork(cmd.SysProcAttr, start)
}

// start starts a program as the user.
func (u User) start(cmd *exec.Cmd) (err error) {
	if err := u.assume(cmd.SysProcAttr); err != nil {
		return err
	}
	_, err = unprotected(protection, func() (int, error) { return 0, cmd.Start() })
	return err
}
