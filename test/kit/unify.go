package kit

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// unified says to a program, in its environment, that it has a mount namespace of its own.
const unified = "ROLECALL_UNIFIED"

// Unified lets a program that is no test run on a host that looks as Unify says. If this host
// does not, it runs the program again, with those arguments, in a mount namespace of its own,
// and returns its exit code and true: the program must end with that code. It needs root.
func Unified(args ...string) (code int, ended bool, err error) {
	if os.Getenv(unified) != "" {
		return 0, false, Unify(os.TempDir())
	}
	if IsUnified() {
		return 0, false, nil
	}
	temp, err := os.MkdirTemp("", "rolecall-host-")
	if err != nil {
		return 1, true, err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // it has a device and no secret
	if err := os.Chmod(temp, 0o711); err != nil {
		return 1, true, err
	}
	code, err = again(temp, args)
	return code, true, err
}

// again runs the program again, and returns its exit code.
func again(temp string, args []string) (int, error) {
	signal.Ignore(os.Interrupt) // the program that is run gets it too
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), unified+"=1", "TMPDIR="+temp)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}
