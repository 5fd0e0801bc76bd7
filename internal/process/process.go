// Package process is where a program meets its process: the one place that reads the
// arguments and the environment, and that ends the process.
package process

import (
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Exit runs serve as the main function of the process, and ends the process with the
// exit code that serve returns. It passes the arguments without the program's name, the
// environment as os.Environ returns it, and the standard streams.
//
// A program reads its process only through these parameters, so a test can call serve
// with others.
func Exit(serve func(args, environ []string, in io.Reader, out, errors io.Writer) (code int)) {
	closeMemory()
	environ := os.Environ()
	showCrash(environ)
	os.Exit(serve(os.Args[1:], environ, os.Stdin, os.Stdout, os.Stderr))
}

// showCrash has a crash print its stacks if the environment has GOTRACEBACK: programs that
// link internal/crash print none.
//
// https://pkg.go.dev/runtime#hdr-Environment_Variables
func showCrash(environ []string) {
	if slices.ContainsFunc(environ, func(entry string) bool { return strings.HasPrefix(entry, "GOTRACEBACK=") }) {
		_ = debug.SetCrashOutput(os.Stderr, debug.CrashOptions{}) // without it there is the line of internal/crash
	}
}

// closeMemory keeps the memory of this process, which may hold secrets, out of core dumps
// and away from other processes of its user. It changes neither the umask nor the core
// limit: the scripts of a job inherit both from the runner.
//
// https://man7.org/linux/man-pages/man2/PR_SET_DUMPABLE.2const.html
func closeMemory() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// Unset unsets the variables of the process that drop takes, by their names. Environ is the
// environment of the process.
func Unset(environ []string, drop func(name string) bool) error {
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !drop(name) {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return nil
}
