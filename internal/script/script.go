// Package script runs the script of a stage: with bash as GitLab Runner's shell
// executor does, in a session of its own, and so that nothing of it is left
// when it ends.
package script

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	User   *User         // nil: that of the driver
	Group  Group         // what all that the script starts is born in; nil: nothing
	Limits Limits
}

// Group is a set of processes that a script cannot leave, and that can be killed as
// a whole: a cgroup.
type Group interface {
	// Fork calls fork, which starts a process with those attributes, in the group.
	Fork(attr *syscall.SysProcAttr, fork func() error) error
	// Kill kills all that is in the group, and returns when it is gone or ctx done.
	Kill(ctx context.Context) error
}

// Result is how a script ended.
type Result struct {
	Code int      // exit code, 0 to 255; 128+n where signal n ended it
	Left []int    // processes of the script that could not be killed
	Read Progress // how far bash had read the script
}

// Run runs the script. When ctx is done, or the output can no longer be written,
// the script's process group gets SIGTERM and after the grace SIGKILL. When bash
// has ended everything that the script started is killed, in whatever session it
// is. An error means that the script did not run or its output was lost.
//
// Run makes the process a reaper of all that the script starts, so a process
// calls it once and starts nothing beside it.
//
// With a User the script runs as that user, with nothing of the driver's: no
// other groups, capabilities, keys or open files, nor a way to any, as setuid
// programs are. Where Dir is closed to the user it starts in /. The calling
// goroutine keeps its thread for good, and umask 077 and no core dumps hold for the
// process. The driver needs root's capabilities CAP_SETUID, CAP_SETGID,
// CAP_SETPCAP, CAP_CHOWN and CAP_KILL.
func (s Script) Run(ctx context.Context) (Result, error) {
	runtime.LockOSThread() // PR_SET_PDEATHSIG watches the thread that forks
	if s.User == nil {
		defer runtime.UnlockOSThread()
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return Result{}, fmt.Errorf("become a subreaper: %w", err)
	}
	script, err := os.Open(s.Path)
	if err != nil {
		return Result{}, err
	}
	defer script.Close()
	stdout, stderr := newStream(s.Stdout), newStream(s.Stderr)
	bash, err := s.start(script, stdout, stderr)
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
	s.killGroup()
	result := Result{Code: status.ExitStatus(), Left: killAll(), Read: Read(script)}
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
func (s Script) start(script *os.File, stdout, stderr *stream) (int, error) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		return 0, fmt.Errorf("the shell of the stages: %w", err)
	}
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
	if err := seal(); err != nil {
		return 0, err
	}
	process := &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   s.Env,
		Files: []uintptr{script.Fd(), out.Fd(), errs.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	fork := syscall.ForkExec
	if s.User != nil {
		fork = s.User.fork
	}
	var pid int
	begin := func() (err error) {
		pid, err = fork(bash, s.Limits.command(bash), process)
		return err
	}
	if s.Group == nil {
		err = begin()
	} else {
		err = s.Group.Fork(process.Sys, begin)
	}
	if err != nil {
		return 0, fmt.Errorf("start %s in %s: %w", bash, s.Dir, err)
	}
	return pid, nil
}

// killGroup kills what is in the group, also what forks faster than processes can
// be killed one by one. What it cannot kill is among those that stay.
func (s Script) killGroup() {
	if s.Group == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	_ = s.Group.Kill(ctx)
}
