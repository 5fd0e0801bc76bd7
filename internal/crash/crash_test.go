package crash_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// build builds the program that crashes, without the race detector: that prints lines of
// its own.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(kit.OpenDir(t), "crash")
	command := exec.Command("go", "build", "-o", path, "./testdata/crash")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// TestCrash: a crash prints one line, without the value of a panic, and ends with the
// exit code of a system failure.
func TestCrash(t *testing.T) {
	t.Parallel()
	program := build(t)
	for name, want := range map[string]string{
		"panic": "panic", "nil": "panic", "quit": "panic", "map": "concurrent map writes", "memory": "out of memory",
		"threads": "thread exhaustion", "stack": "stack overflow",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			expectLine(t, exec.Command(program, name), want)
		})
	}
	t.Run("start", func(t *testing.T) { // the runtime cannot start its second thread
		t.Parallel()
		kit.NeedRoot(t, "a user without processes")
		expectLine(t, exec.Command("bash", "-c", `ulimit -u 2; exec setpriv --reuid 61977 --regid 61977 --clear-groups "$0" start`, program), "newosproc")
	})
}

// TestPiece: a piece of text counts to its end, and not what is behind it in memory.
func TestPiece(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command(build(t), "piece").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v, output %q", err, out)
	}
}

// TestShown: whoever asks for the stacks gets them, after the line.
func TestShown(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"panic", "stack"} {
		command := exec.Command(build(t), name)
		command.Env = append(os.Environ(), "GOTRACEBACK=all")
		out, _ := command.CombinedOutput()
		if command.ProcessState.ExitCode() != 2 || !strings.HasPrefix(string(out), "rolecall: this program has crashed (RC507): ") || !strings.Contains(string(out), "\ngoroutine ") {
			t.Errorf("%s: exit code %d, output\n%.2000s", name, command.ProcessState.ExitCode(), out)
		}
	}
}

// expectLine runs a program that crashes, and checks all that it prints.
func expectLine(t *testing.T, command *exec.Cmd, want string) {
	t.Helper()
	out, _ := command.CombinedOutput()
	line := "rolecall: this program has crashed (RC507): " + want + "; to see where, set GOTRACEBACK=all in the environment of the runner's service\n"
	if string(out) != line || command.ProcessState.ExitCode() != 2 {
		t.Errorf("exit code %d, output\n%.2000s, want\n%s", command.ProcessState.ExitCode(), out, line)
	}
}
