// Package program is what the four stages have in common: flags, environment, signals,
// masks, log lines, and the one place where an error becomes an exit code.
//
// The exit code of a script is passed on unchanged. A mistake of the author or the admin
// ends the job. After any other error, including a panic, the runner tries again.
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
	"rolecall/internal/journal"
	"rolecall/internal/mask"
	"rolecall/internal/message"
	"rolecall/internal/process"
	"rolecall/internal/state"
)

// Call is what a stage is called with.
type Call struct {
	Args   []string // arguments that the runner appended to the flags
	Env    job.Env
	Stdout io.Writer // masks the secrets of Mask, as Stderr does
	Stderr io.Writer
	Log    *logrus.Logger // writes to Stderr

	Flags

	masks  *mask.Masks
	about  message.Case // what the messages of the stage say beside their error
	tried  bool         // the runner tries again after a system failure
	again  bool         // the error is that of the try before
	tenant string       // of the job, for the host's log
}

// Program is a stage as a program.
type Program struct {
	Name   string            // name of the stage and of its program
	Does   string            // what the stage does; in --help it follows the name
	Run    func(*Call) error // does the stage's work
	Always bool              // run even if flags or environment are wrong
	Plain  bool              // no colours: the runner's log gets the output, and not the job log
	Tried  bool              // the runner tries again after a system failure

	// Journal gets the warnings and errors too; the zero Log gets none. Main sets it.
	Journal journal.Log
}

// ScriptError says that a user's script ended with a code other than 0.
type ScriptError int

// Error names the code.
func (e ScriptError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// Main runs the program as the main function of the process and exits.
func (p Program) Main() {
	p.Journal = journal.OfHost()
	process.Exit(p.Serve)
}

// Serve runs the program with args, without the program's name, and with environ, in
// the form of os.Environ. Stages do not read standard input. Serve reports an error or
// a panic of Run on stderr. It returns the exit code: 0, or one of the two codes that
// environ names.
func (p Program) Serve(args, environ []string, _ io.Reader, stdout, stderr io.Writer) (code int) {
	c := newCall(stdout, stderr)
	c.about.Colours = !p.Plain
	c.Log.AddHook(toHost{c, p.Journal})
	c.tried = p.Tried
	code = c.exitCode(p.serve(c, args, environ))
	c.flush()
	return code
}

// newCall returns a call that prints to stdout and stderr.
func newCall(stdout, stderr io.Writer) *Call {
	masks := mask.NewMasks()
	out, err := masks.Writer(stdout), masks.Writer(stderr)
	c := &Call{Stdout: out, Stderr: err, masks: masks}
	c.Log = newLog(err, c)
	return c
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
		c.Warn(err)
	}
	return p.Run(c)
}

// exitCode reports an error, and returns the exit code of the stage.
func (c *Call) exitCode(err error) int {
	if err == nil {
		return 0
	}
	if script, ok := errors.AsType[ScriptError](err); ok {
		c.leaveExitCode(int(script))
		return c.Env.BuildFailure
	}
	return c.fail(err)
}

// describe sets what the message about err says beside it. If the runner tries again, what
// was said before is not said again.
func (c *Call) describe(err error) {
	key, keyErr := job.ReadKey(c.Env.ResponseFile)
	if keyErr != nil {
		return
	}
	c.about.Job = key.ID.String()
	if c.about.Contact == "" {
		told, _ := parseTold(c.Env.Told)
		c.about.Contact = told.Contact
	}
	if c.tried && c.Env.Store != "" && fault.SideOf(err) == fault.Infrastructure {
		c.about.Try, c.again = state.Try(c.Env.Store, key, string(fault.CodeOf(err))+err.Error())
	}
}

// fail logs an error, and returns the exit code that says who has to act.
func (c *Call) fail(err error) int {
	side := fault.SideOf(err)
	c.describe(err)
	c.Log.WithError(err).Error(err)
	if side == fault.Infrastructure {
		return c.Env.SystemFailure
	}
	return c.Env.BuildFailure
}

// leaveExitCode writes the exit code of a script to the runner's file. If the runner
// names no file, or the file cannot be written, the runner reports 1.
func (c *Call) leaveExitCode(code int) {
	if c.Env.ExitCodeFile == "" {
		return
	}
	if err := os.WriteFile(c.Env.ExitCodeFile, []byte(strconv.Itoa(code)+"\n"), 0o600); err != nil {
		c.Log.Warnf("the exit code %d of the script cannot be passed to the runner: %v", code, err)
	}
}
