// Package script runs the script of a stage: with bash as GitLab Runner's shell
// executor does, in a session of its own, and so that nothing of it is left
// when it ends.
package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Script is a script and where it runs.
type Script struct {
	Path   string   // bash reads it as its standard input
	Env    []string // the whole environment, as NAME=value
	Dir    string
	Stdout io.Writer
	Stderr io.Writer
	Grace  time.Duration // from the end of the context to SIGKILL
}

// Result is how a script ended.
type Result struct {
	Code int   // exit code, 0 to 255; 128+n where signal n ended it
	Left []int // processes of the script that could not be killed
}

// Run runs the script. When ctx is done, or the output can no longer be written,
// the script's process group gets SIGTERM and after the grace SIGKILL. When bash
// has ended everything that the script started is killed, in whatever session it
// is. An error means that the script did not run or its output was lost.
//
// Run makes the process a reaper of all that the script starts, so a process
// calls it once and starts nothing beside it.
func (s Script) Run(ctx context.Context) (Result, error) {
	runtime.LockOSThread() // PR_SET_PDEATHSIG watches the thread that forks
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return Result{}, fmt.Errorf("become a subreaper: %w", err)
	}
	stdout, stderr := newStream(s.Stdout), newStream(s.Stderr)
	bash, err := s.start(stdout, stderr)
	if err != nil {
		return Result{}, errors.Join(err, stdout.drain(), stderr.drain())
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		case <-stdout.broken:
		case <-stderr.broken:
		}
		s.terminate(bash, ended)
	}()
	status, err := wait(bash)
	close(ended)
	result := Result{Code: status.ExitStatus(), Left: killAll()}
	if status.Signaled() {
		result.Code = 128 + int(status.Signal())
	}
	return result, errors.Join(err, stdout.drain(), stderr.drain())
}

// terminate asks the script's process group to end and, unless bash ends within
// the grace, kills it.
func (s Script) terminate(bash int, ended <-chan struct{}) {
	_ = unix.Kill(-bash, unix.SIGTERM)
	select {
	case <-ended:
	case <-time.After(s.Grace):
		_ = unix.Kill(-bash, unix.SIGKILL)
	}
}

// start starts bash in a new session and returns its process id, which is that
// of its process group too.
func (s Script) start(stdout, stderr *stream) (int, error) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return 0, fmt.Errorf("the shell of the stages: %w", err)
	}
	script, err := os.Open(s.Path)
	if err != nil {
		return 0, err
	}
	defer script.Close()
	out, err := stdout.pipe()
	if err != nil {
		return 0, err
	}
	defer out.Close()
	errs, err := stderr.pipe()
	if err != nil {
		return 0, err
	}
	defer errs.Close()
	// What the service left open is not for the script; kernels before 5.11 lack this.
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	pid, err := syscall.ForkExec(bash, []string{"bash", "-l"}, &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   s.Env,
		Files: []uintptr{script.Fd(), out.Fd(), errs.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s in %s: %w", bash, s.Dir, err)
	}
	return pid, nil
}
