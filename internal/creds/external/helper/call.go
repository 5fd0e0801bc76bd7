package helper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds/external"
	"rolecall/internal/fault"
)

// Bounds of what a helper writes, in bytes.
const (
	maxOut  = 64 << 10
	maxSaid = 512 << 10 // read of its standard error, to mask it; maxShown is less
)

// drain is how long the output of a helper that has ended is still read: a process that it has left
// may hold the pipe.
const drain = 500 * time.Millisecond

var (
	errLate  = errors.New("late")
	errLarge = errors.New("large")
)

// call is one start of a helper.
type call struct {
	external.Terms

	service []string
	input   []byte
}

// result is what a helper that has ended by itself leaves.
type result struct {
	out  []byte
	said string // what it has written to its standard error
	end  string // how it has ended, in words
	code int    // -1: a signal has ended it
}

// run starts the helper and waits until it has ended. Then it is dead, with all that it has started.
// Beside an error there is no result. Two calls of a process must not run at the same time.
//
// The helper is started by its path, as scripts with #! need. Only root and the driver's user can put
// something else there after the check.
func (c call) run(ctx context.Context) (result, error) {
	if err := external.CheckHelper(c.Command[0]); err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, errLate)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	out, said := &bounded{limit: maxOut, full: func() { stop(errLarge) }}, &bounded{limit: maxSaid}
	cmd := c.command(ctx)
	cmd.Stdout, cmd.Stderr = out, said
	err := start(cmd)
	if ctx.Err() != nil {
		return result{}, c.stopped(context.Cause(ctx))
	}
	r := result{out: out.text.Bytes(), said: said.text.String(), end: "exit code 0"}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		r.code, r.end = exit.ExitCode(), endOf(exit)
	} else if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return result{}, fault.New(fault.BadSource, fmt.Errorf("the helper cannot be started: %w", err), "look whether the host can run it").With("helper", c.Command[0])
	}
	return r, nil
}

// command returns the command, in a session of its own: a signal for the group of the driver is not
// for the helper, and one for that of the helper is for all that stays in it.
func (c call) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Command[0], c.Command[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.WaitDelay = environ(c.Terms, c.service), "/", bytes.NewReader(c.input), drain
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	return cmd
}

// start starts a command, waits for it, and kills what it has left.
func start(cmd *exec.Cmd) error {
	runtime.LockOSThread() // PR_SET_PDEATHSIG acts when the thread that forked ends
	defer runtime.UnlockOSThread()
	// The runner may have left descriptors open. Whoever holds those holds the stage.
	if err := unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return err
	}
	kill, err := adopt()
	if err != nil {
		return err
	}
	defer kill()
	return cmd.Run()
}

// stopped returns the error about a helper that was killed.
func (c call) stopped(cause error) error {
	if errors.Is(cause, errLarge) {
		return fault.New(fault.BadSource, fmt.Errorf("the helper writes more than %d bytes, and was killed", maxOut), "correct the helper: "+readDocs).
			With("helper", c.Command[0])
	}
	within := "in time"
	if errors.Is(cause, errLate) {
		within = "within " + c.Timeout.String()
	}
	return fault.New(fault.NoSource, fmt.Errorf("the helper did not end %s, and was killed", within), "look at what the helper waits for, if it lasts").
		With("helper", c.Command[0])
}

// endOf says how a helper has ended.
func endOf(exit *exec.ExitError) string {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return "signal: " + status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", exit.ExitCode())
}

// bounded keeps what is written to it, up to a limit. If full is nil, the rest is lost; else full is
// called, and writes fail.
type bounded struct {
	text  bytes.Buffer
	limit int
	full  func()
}

// Write is an io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	fits := min(len(p), b.limit-b.text.Len())
	_, _ = b.text.Write(p[:fits]) // cannot fail
	if fits == len(p) || b.full == nil {
		return len(p), nil
	}
	b.full()
	return fits, errLarge
}
