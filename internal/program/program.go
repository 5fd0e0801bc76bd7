// Package program is how a process of the driver begins and ends. Exit is that of
// all programs. Program and Call are what the four stages have in common: flags,
// environment, signals, masks, log lines, and the one place where an error becomes
// an exit code.
//
// A script's own exit code comes through as it is, a mistake of the author or of
// the admin ends the job, and anything else, a panic too, lets the runner try
// again.
//
// https://docs.gitlab.com/runner/executors/custom/#error-handling
package program

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/sirupsen/logrus"

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

// Program is a stage as a program.
type Program struct {
	Name   string            // of the stage, which is also the program's
	Does   string            // what goes on after the name in a sentence of --help
	Run    func(*Call) error // does the stage's work
	Always bool              // run even where flags or environment are wrong
}

// ScriptError says that a user's script ended with a code other than 0.
type ScriptError int

// Error names the code.
func (e ScriptError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Main runs the program as the process's own main and exits.
func (p Program) Main() { Exit(p.Serve) }

// Serve runs the program with args, which have no name of the program, and environ,
// which has the form of os.Environ. Stages do not read standard input. Serve
// reports an error or a panic of Run on stderr, and returns the exit code: 0, or
// one of the two that environ names.
func (p Program) Serve(args, environ []string, _ io.Reader, stdout, stderr io.Writer) (code int) {
	c := newCall(stdout, stderr)
	code = c.exitCode(p.serve(c, args, environ))
	c.flush()
	return code
}

// newCall returns a call that prints to stdout and stderr.
func newCall(stdout, stderr io.Writer) *Call {
	masks := mask.NewMasks()
	out, err := masks.Writer(stdout), masks.Writer(stderr)
	return &Call{Stdout: out, Stderr: err, Log: newLog(err), masks: masks}
}

// serve reads flags and environment and runs the stage. A panic becomes an error.
func (p Program) serve(c *Call, args, environ []string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic in %s: %v", p.Name, r)
		}
	}()
	c.Env, err = job.ReadEnv(environ)
	err = errors.Join(err, p.parseFlags(c, args))
	if errors.Is(err, errDone) {
		return nil
	}
	if err != nil && !p.Always {
		return err
	}
	if err != nil {
		c.Log.Warn(err)
	}
	return p.Run(c)
}

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
		return c.Env.SystemFailure
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
