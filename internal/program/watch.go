package program

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrOrphaned is the cause by which a context of Watch ends when the runner has died
// or reads no more. Nobody comes after the stage then, to clean up for instance.
var ErrOrphaned = errors.New("the runner is gone")

// errAsked is the cause where the runner asks the stage to stop.
var errAsked = errors.New("the runner has asked to stop")

// Watch begins to watch for the signals by which the runner asks the stage to
// stop, for the runner's death, and for the end of who reads standard output. The
// function that it returns waits until that is so, and returns a context that ends
// with the first of them; a write to a closed pipe is then an error and not a death.
// A signal that comes earlier ends the process, as there is nothing to end well.
//
// Handling signals costs a fifth of a stage's start, so it goes on beside other
// work, and the stages that need none do without.
func (c *Call) Watch() func() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		if runnerGone() {
			cancel(ErrOrphaned)
		}
	}()
	watching := make(chan struct{})
	go func() {
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
		close(watching)
		for s := range asked {
			if s != syscall.SIGPIPE {
				cancel(errAsked)
			}
		}
	}()
	return func() context.Context {
		<-watching
		return ctx
	}
}

// runnerGone waits for the death of the parent process or for the end of who reads
// standard output, and reports whether one of them came. Where the kernel cannot
// tell, as those before 5.3 of a process, it does not.
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
