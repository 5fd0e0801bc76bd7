// Package script runs the script of a stage with bash, as GitLab Runner's shell executor
// does. The script runs in a new session, and no process of it is left when it ends.
//
// https://docs.gitlab.com/runner/executors/shell/
package script

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Script is a script and where it runs.
type Script struct {
	Path   string   // bash reads it as its standard input
	Env    []string // the whole environment, as NAME=value
	Unset  []string // variables that startup files of the shell may not set; A_* is all that begin with A_
	Set    []string // entries of Env that startup files of the shell may not change
	Dir    string
	Stdout io.Writer
	Stderr io.Writer
	Grace  time.Duration // from SIGTERM, when the context is done, to SIGKILL
	User   *User         // nil: the driver's own user
	Group  Group         // all processes of the script start in it; nil: none
	Limits Limits
	Ended  func() bool // reports whether the job of the script has ended; nil: it has not
	Done   func()      // is called when bash has ended, before what it has left is killed; may be nil

	// Program reads the script instead of bash. Unset, Set and Limits are not for it.
	Program *Program
}

// Group is a cgroup: a set of processes that a script cannot leave and that can be killed
// as a whole.
type Group interface {
	// Fork calls fork, which must start a process with attr. The process starts in the group.
	Fork(attr *syscall.SysProcAttr, fork func() error) error
	// Kill kills all processes in the group. It returns when they are gone or ctx is done.
	Kill(ctx context.Context) error
}

// Result is how a script ended.
type Result struct {
	Code     int      // exit code, 0 to 255; 128+n if signal n ended bash
	Signaled bool     // a signal ended bash
	Left     []int    // processes of the script that could not be killed
	Read     Progress // how far bash had read the script
}

// errEnded says why a script was not started.
var errEnded = errors.New("the job has ended")

// Run runs the script. If ctx is done or the output can no longer be written, the
// script's process group gets SIGTERM, and SIGKILL after the grace. When bash has ended,
// Run kills all processes that the script has started, in other sessions too. An error
// means that the script did not run or that output was lost.
//
// Run makes this process the reaper of all its processes. So a process may call it only
// once. Other processes that it starts meanwhile are reaped too, and killed at the end.
//
// With a User, the script runs as this user and gets nothing from the driver: no other
// groups, capabilities, keys or open files, and no way to get any, such as setuid
// programs. If the user cannot enter Dir, the script starts in /. The calling goroutine
// stays locked to its thread, and the process keeps umask 077 and no core dumps. The
// driver needs the capabilities CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_CHOWN and
// CAP_KILL.
func (s Script) Run(ctx context.Context) (Result, error) {
	runtime.LockOSThread() // PR_SET_PDEATHSIG acts when the thread that forked ends
	if s.User == nil {
		defer runtime.UnlockOSThread()
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return Result{}, fmt.Errorf("become a subreaper: %w", err)
	}
	script, opening, err := s.input()
	if err != nil {
		return Result{}, err
	}
	defer script.Close()
	stdout, stderr := newStream(s.Stdout), newStream(s.Stderr)
	bash, err := s.start(script, stdout, stderr)
	if err != nil {
		return Result{}, errors.Join(err, stdout.drain(), stderr.drain())
	}
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		if !s.over() { // whoever ends the job from now on finds bash
			select {
			case <-ended:
				return
			case <-ctx.Done():
			case <-stdout.broken:
			case <-stderr.broken:
			}
		}
		s.terminate(bash, ended)
	}()
	status, err := wait(bash)
	close(ended)
	<-watched
	if s.Done != nil {
		s.Done()
	}
	if s.Program != nil && s.Program.Settle != nil {
		s.Program.Settle()
	}
	s.killGroup()
	result := Result{Code: exitCode(status), Signaled: status.Signaled(), Left: killAll(), Read: Read(script, opening)}
	return result, errors.Join(err, stdout.drain(), stderr.drain())
}

// exitCode returns the exit code of a process as bash has it: 128 and the signal's number
// if a signal ended the process.
//
// https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html
func exitCode(status unix.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// over reports whether the job of the script has ended.
func (s Script) over() bool { return s.Ended != nil && s.Ended() }

// terminate sends SIGTERM to the script's processes. If bash does not end within the grace,
// or if the job has ended, it sends SIGKILL.
func (s Script) terminate(bash int, ended <-chan struct{}) {
	grace := s.Grace
	if s.over() {
		grace = 0
	}
	s.signal(bash, unix.SIGTERM)
	select {
	case <-ended:
		return
	case <-time.After(grace):
	}
	s.signal(bash, unix.SIGKILL)
	if s.Program == nil {
		return
	}
	select {
	case <-ended:
	case <-time.After(programTime):
		_ = unix.Kill(-bash, unix.SIGKILL)
	}
}

// start starts bash in a new session and returns its process id, which is also the id of
// its process group.
func (s Script) start(script *os.File, stdout, stderr *stream) (int, error) {
	bash, err := s.program()
	if err != nil {
		return 0, err
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
	if err := closeOnExec(); err != nil {
		return 0, err
	}
	process := &syscall.ProcAttr{
		Dir:   s.Dir,
		Env:   s.Env,
		Files: []uintptr{script.Fd(), out.Fd(), errs.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	if s.Program != nil {
		process.Files = append(process.Files, s.Program.Files...)
	}
	pid, err := s.fork(bash, process)
	if err != nil {
		return 0, fmt.Errorf("start %s in %s: %w", bash, s.Dir, err)
	}
	return pid, nil
}

// fork starts the program at path bash as the user and in the group.
func (s Script) fork(bash string, process *syscall.ProcAttr) (pid int, err error) {
	fork, limits := syscall.ForkExec, s.Limits
	if s.User != nil {
		fork = s.User.fork
		if os.Geteuid() == 0 {
			limits = limits.inherited()
		}
	}
	start := func() (err error) {
		pid, err = fork(bash, s.args(bash, limits), process)
		return err
	}
	switch {
	case s.over():
		err = errEnded
	case s.Group == nil:
		err = start()
	default:
		err = s.Group.Fork(process.Sys, start)
	}
	return pid, err
}

// killGroup kills the processes in the group, also a fork bomb, which starts processes
// faster than they can be killed one by one. Its error is dropped: killAll finds the
// processes that are left.
func (s Script) killGroup() {
	if s.Group == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	_ = s.Group.Kill(ctx)
}
