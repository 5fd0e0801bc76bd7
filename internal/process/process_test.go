package process_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/process"
	"rolecall/test/kit"
)

// childVariable makes this test binary the program that TestExit starts.
const childVariable = "ROLECALL_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		process.Exit(child)
	}
	os.Exit(m.Run())
}

// child prints what it was given, and whether its memory is open to others.
func child(args, environ []string, in io.Reader, out, stderr io.Writer) int {
	input, err := io.ReadAll(in)
	dumpable, _ := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	_, _ = fmt.Fprintln(out, args, environ, string(input), dumpable)
	_, _ = fmt.Fprintln(stderr, "stderr", err)
	return 42
}

// TestExit: a program gets what its process has, and its memory is closed to others.
func TestExit(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	kit.Must(t, err)
	command := exec.CommandContext(t.Context(), self, "a", "b")
	command.Env = []string{childVariable + "=exit"}
	command.Stdin = strings.NewReader("input")
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 42 {
		t.Errorf("the process ended with %v, want exit status 42", err)
	}
	if want := "[a b] [" + childVariable + "=exit] input 0\n"; string(out) != want || !strings.HasPrefix(stderr.String(), "stderr <nil>\n") {
		t.Errorf("standard output %q, want %q; standard error %q", out, want, &stderr)
	}
}
