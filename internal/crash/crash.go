// Package crash is what a program prints if the Go runtime ends it: after a panic of a
// goroutine, for lack of threads or memory, or for a fatal error such as concurrent writes
// to a map. Programs import it for this alone. The runtime then prints one line and no
// stacks: its text goes to the job log past all masks, and a panic's value may be a secret.
//
// The exit code of a program that the runtime ends is 2. GitLab Runner passes the same
// number as SYSTEM_FAILURE_EXIT_CODE, so a crash of a stage is a system failure:
// https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v19.4.0/executors/custom/custom.go
package crash

import (
	"syscall"
	"unsafe"
)

// hint ends the line, and says how to see more.
const hint = "; to see where, set GOTRACEBACK=all in the environment of the runner's service\n"

// part is how much of the line has been printed.
type part int32

const (
	nothing part = iota
	begin        // the runtime's message is missing
	all
)

// overrideWrite is the runtime's own variable: if it is set, the runtime writes through
// it. It has its value before the program's first instruction, since the runtime may fail
// to start a thread before main begins. The Go project keeps name and type:
// https://go.dev/issue/67401
//
//go:linkname overrideWrite runtime.overrideWrite
var overrideWrite func(fd uintptr, p unsafe.Pointer, n int32) int32 = write //nolint:gochecknoglobals // the runtime's

// printed is where the line is. Only a crash changes it.
var printed part //nolint:gochecknoglobals // a crash has no other memory

// write writes what the runtime would write, and returns the number of bytes or a
// negative error. Of what goes to standard error it writes one line. The runtime prints
// its message in pieces: "fatal error: ", and then the reason; or "panic: ", and then the
// value of the panic.
//
// The runtime calls write where no stack can grow and no memory can be allocated.
//
//go:nosplit
//go:norace
func write(fd uintptr, p unsafe.Pointer, n int32) int32 {
	if fd != 2 {
		return send(fd, p, n)
	}
	switch {
	case printed == nothing && starts(p, n, "fatal error: "):
		sendText("rolecall: this program has crashed (RC507): ")
		printed = begin
	case printed == begin:
		send(fd, p, n)
		sendText(hint)
		printed = all
	case printed == nothing && (starts(p, n, "panic: ") || starts(p, n, "SIG")):
		sendText("rolecall: this program has crashed (RC507): panic")
		sendText(hint)
		printed = all
	}
	return n
}

// starts reports whether the n bytes at p begin with a text.
//
//go:nosplit
//go:norace
func starts(p unsafe.Pointer, n int32, text string) bool {
	if int(n) < len(text) {
		return false
	}
	for i := range len(text) {
		if *(*byte)(unsafe.Add(p, i)) != text[i] {
			return false
		}
	}
	return true
}

// sendText writes a text to standard error.
//
//go:nosplit
//go:norace
func sendText(text string) {
	send(2, unsafe.Pointer(unsafe.StringData(text)), int32(len(text))) //nolint:gosec // the texts are above
}

// send is write(2).
//
//go:nosplit
//go:norace
func send(fd uintptr, p unsafe.Pointer, n int32) int32 {
	written, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(p), uintptr(n)) //nolint:gosec // n is a length
	if errno != 0 {
		return -int32(errno) //nolint:gosec // errors are small
	}
	return int32(written) //nolint:gosec // at most n
}
