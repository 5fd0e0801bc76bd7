// Package stage is what the four stages of the driver have in common: flags,
// environment, signals, log lines, and the one place where an error becomes an
// exit code.
//
// A script's own exit code comes through as it is, a mistake of the author or of
// the admin ends the job, and anything else, a panic too, lets the runner try
// again.
//
// https://docs.gitlab.com/runner/executors/custom/#error-handling
package stage

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
)

// Call is what a stage is called with.
type Call struct {
	Args   []string // what the runner appended to the flags
	Env    job.Env
	Stdout io.Writer // masks what Mask was told, as Stderr does
	Stderr io.Writer
	Log    *logrus.Logger // writes to Stderr

	Flags

	masks *mask.Masks
}

// Stage is one of the four stages.
type Stage func(*Call) error

// ScriptError says that a user's script ended with a code other than 0.
type ScriptError int

// Error names the code.
func (e ScriptError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Cleanup is the name of the stage that runs whatever is wrong with its flags and
// environment: what is not cleaned up then is never.
const Cleanup = "cleanup"

// Main runs a stage as the process's own main and exits.
func Main(name string, run Stage) {
	call := newCall(os.Stdout, os.Stderr)
	code := call.exitCode(call.serve(name, run))
	call.flush()
	os.Exit(code)
}

// newCall returns a call that prints to stdout and stderr.
func newCall(stdout, stderr io.Writer) *Call {
	masks := mask.NewMasks()
	out, err := masks.Writer(stdout), masks.Writer(stderr)
	return &Call{Stdout: out, Stderr: err, Log: newLog(err), masks: masks}
}

// serve reads flags and environment and runs the stage. A panic becomes an error.
func (c *Call) serve(name string, run Stage) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in %s: %v", name, r)
		}
	}()
	c.Env, err = job.ReadEnv(os.Environ())
	if err == nil {
		err = c.parseFlags(name)
	}
	if errors.Is(err, errDone) {
		return nil
	}
	if err != nil && name != Cleanup {
		return err
	}
	if err != nil {
		c.Log.Warn(err)
	}
	private()
	return run(c)
}

// private keeps the driver's memory, which holds secrets, from core dumps and
// from the other processes of its user.
func private() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// exitCode reports an error and returns the exit code that tells the runner.
func (c *Call) exitCode(err error) int {
	if err == nil {
		return 0
	}
	var script ScriptError
	if errors.As(err, &script) {
		c.leaveExitCode(int(script))
		return c.Env.BuildFailure
	}
	side := fault.SideOf(err)
	c.Log.WithField(sideField, side).Error(err)
	if side == fault.Infrastructure {
		return c.Env.SystemFail
	}
	return c.Env.BuildFailure
}

// leaveExitCode tells the runner the exit code of a script. A runner that names
// no file for it, or cannot be told, reports 1.
func (c *Call) leaveExitCode(code int) {
	if c.Env.ExitCodeFile == "" {
		return
	}
	if err := os.WriteFile(c.Env.ExitCodeFile, []byte(strconv.Itoa(code)+"\n"), 0o600); err != nil {
		c.Log.Warnf("the exit code %d of the script cannot be passed on: %v", code, err)
	}
}
