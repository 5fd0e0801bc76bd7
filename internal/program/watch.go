package program

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
)

// ErrOrphaned is the cause of a context of Watch that ends because the runner has died
// or has stopped reading. The runner then starts no later stage, such as cleanup.
var ErrOrphaned error = fault.New(fault.Interrupted, errors.New("the runner is gone"), "")

// errStopped is the cause of a context that ends because the runner stops the stage.
var errStopped error = fault.New(fault.Interrupted, errors.New("the runner has asked to stop"), "")

// Watch starts to watch three things: the signals by which the runner stops the stage,
// the runner's death, and the end of the reader of standard output. The function that
// Watch returns waits until signals are watched, and returns a context that ends with
// the first of the three. From then on, a write to a closed pipe is an error and does
// not end the process. An earlier signal ends the process, which has nothing to undo by
// then.
//
// Handling signals takes a fifth of a stage's start. It therefore runs beside other
// work, and stages that need no signals do not call Watch.
func (c *Call) Watch() func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		if runnerGone() {
			cancel(ErrOrphaned)
		}
	}()
	watched := sync.OnceValue(func() context.Context {
		go cancelBySignal(stopSignals(), cancel)
		return ctx
	})
	go watched()
	return watched
}

// stopSignals returns a channel of the signals by which the runner stops the stage, and
// of SIGPIPE.
func stopSignals() chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	return signals
}

// cancelBySignal cancels at each signal but SIGPIPE, which only keeps the process alive.
func cancelBySignal(signals chan os.Signal, cancel context.CancelCauseFunc) {
	for s := range signals {
		if s != syscall.SIGPIPE {
			cancel(errStopped)
		}
	}
}

// runnerGone waits until the parent process dies or nobody reads standard output any
// more, and reports whether that happened. Before Linux 5.3 the kernel does not report
// the death of a process.
func runnerGone() bool {
	parent, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		parent = -1 // poll passes over it
	}
	fds := []unix.PollFd{{Fd: int32(parent), Events: unix.POLLIN}, {Fd: int32(os.Stdout.Fd())}} //nolint:gosec // descriptors are small
	for {
		_, err := unix.Poll(fds, -1)
		if !errors.Is(err, unix.EINTR) {
			return err == nil
		}
	}
}
