package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"rolecall/test/kit"
)

// unified says to the demo, in its environment, that it has a mount namespace of its own.
const unified = "ROLECALL_DEMO_UNIFIED=1"

// unify runs the demo again where the host has cgroups of version 1, in a mount namespace
// that has those of version 2. It returns the exit code and true if the demo has ended.
func unify() (code int, ended bool) {
	if os.Getenv("ROLECALL_DEMO_UNIFIED") != "" {
		if err := kit.Unify(os.TempDir()); err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
			return 1, true
		}
		return 0, false
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "demo: jobs in containers need root: sudo make demo-image")
		return 1, true
	}
	if kit.IsUnified() {
		return 0, false
	}
	temp, err := os.MkdirTemp("", "rolecall-demo-host-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1, true
	}
	defer os.RemoveAll(temp) //nolint:errcheck // it has a device and no secret
	if err := os.Chmod(temp, 0o711); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1, true
	}
	return again(temp), true
}

// again runs the demo in a mount namespace of its own, and returns its exit code.
func again(temp string) int {
	signal.Ignore(os.Interrupt) // the demo itself gets it too
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), unified, "TMPDIR="+temp)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGTERM}
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		return 1
	}
	return 0
}
