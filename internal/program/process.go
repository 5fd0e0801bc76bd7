package program

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Exit runs serve as the process's own main, and ends the process with the exit
// code that serve returns. The args are without the program's name, environ is
// that of os.Environ, and the streams are the standard ones.
//
// All that a program reads of its process comes to serve this way, so that a test
// can call serve with anything else.
func Exit(serve func(args, environ []string, in io.Reader, out, errors io.Writer) (code int)) {
	private()
	os.Exit(serve(os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// private keeps the memory of this process, which may hold secrets, from core
// dumps and from the other processes of its user. Neither umask nor core limit
// change here: the scripts of a job inherit those from the runner.
//
// https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html
func private() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }
