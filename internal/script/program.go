package script

import (
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// Program is a program that reads a script, such as the client of a container engine.
type Program struct {
	Args    []string  // the path of the program first
	Opening string    // the program reads it before the script
	Files   []uintptr // descriptors that the program gets, from 3 on

	// Signal sends SIGTERM or SIGKILL to what runs the script; leader is the id of the
	// program's own process and process group.
	Signal func(leader int, signal unix.Signal)

	// Settle waits, for a bounded time, until what the program has started ends by itself. It
	// is called when the program has ended, before the rest is killed; nil: nothing is waited
	// for.
	Settle func()
}

// programTime is how long a Program may take to end after its script was killed.
const programTime = time.Second

// signal sends a signal to the script's process group, or to what a Program names.
func (s Script) signal(bash int, signal unix.Signal) {
	if s.Program != nil {
		s.Program.Signal(bash, signal)
		return
	}
	_ = unix.Kill(-bash, signal)
}

// program returns the path of what reads the script.
func (s Script) program() (string, error) {
	if s.Program != nil {
		return s.Program.Args[0], nil
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		return "", fmt.Errorf("the shell for scripts: %w", err)
	}
	return bash, nil
}

// args returns the arguments of what reads the script.
func (s Script) args(path string, limits Limits) []string {
	if s.Program != nil {
		return s.Program.Args
	}
	return limits.command(path)
}
