package program_test

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/program"
	"rolecall/test/kit"
)

// deniedVariable names the system call that a program of TestWatchDenied lacks.
const deniedVariable = "ROLECALL_TEST_DENIED"

// denied are system calls that Watch needs.
func denied(name string) []kit.Call {
	if name == "pidfd" {
		return []kit.Call{{Number: unix.SYS_PIDFD_OPEN}}
	}
	calls := []kit.Call{{Number: unix.SYS_PPOLL}}
	if runtime.GOARCH == "amd64" {
		calls = append(calls, kit.Call{Number: 7}) // poll(2), which other architectures do not have
	}
	return calls
}

// watchDenied is watch on a kernel that does not know a system call.
func watchDenied(c *program.Call) error {
	if err := kit.Deny(unix.ENOSYS, denied(os.Getenv(deniedVariable))...); err != nil {
		return err
	}
	return watch(c)
}

// TestWatchDenied: a stage that cannot see whether its runner lives goes on, and ends when the
// runner asks it to. On a kernel before 5.3 it still sees that nobody reads its output.
func TestWatchDenied(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		end  func(p *os.Process, out *os.File) error
		says string
	}{
		"poll":  {func(p *os.Process, _ *os.File) error { return p.Signal(syscall.SIGTERM) }, "the runner has asked to stop <nil>\n"},
		"pidfd": {func(_ *os.Process, out *os.File) error { return out.Close() }, "the runner is gone write /dev/stdout: broken pipe\n"},
	} {
		out, in, err := os.Pipe()
		kit.Must(t, err)
		self, err := os.Executable()
		kit.Must(t, err)
		var stderr strings.Builder
		command := exec.CommandContext(t.Context(), self)
		command.Env = []string{childVariable + "=denied", deniedVariable + "=" + name}
		command.Stdout, command.Stderr = in, &stderr
		kit.Must(t, command.Start())
		kit.Must(t, in.Close())
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
			t.Errorf("%s: the stage has printed %q, %v", name, line, err)
		}
		kit.Must(t, test.end(command.Process, out))
		if err := command.Wait(); err != nil || !strings.HasPrefix(stderr.String(), test.says) {
			t.Errorf("%s: the stage ended with %v, want %q in\n%s", name, err, test.says, &stderr)
		}
		_ = out.Close()
	}
}

// TestCannotStart: a program that is not there, or that the job's user cannot start, is the
// admin's to mend. Any other error stays what it is.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	cmd, err := program.Beside(t.Context(), "none-such", "x")
	kit.Must(t, err)
	if self, err := os.Executable(); err != nil || cmd.Path != filepath.Join(filepath.Dir(self), "none-such") || cmd.Path != program.PathBeside("none-such") || cmd.Dir != "/" {
		t.Errorf("the command is %+v", cmd)
	}
	missing := program.CannotStart(cmd, cmd.Start())
	for name, test := range map[string]struct {
		err  error
		code fault.Code
		want string
	}{
		"missing": {missing, fault.Programs, "the job's user cannot start " + cmd.Path + ": no such file or directory"},
		"closed":  {program.CannotStart(cmd, &fs.PathError{Err: syscall.EACCES}), fault.Programs, ": permission denied"},
		"busy":    {program.CannotStart(cmd, fmt.Errorf("x: %w", syscall.EAGAIN)), fault.CodeOf(errors.New("any")), "x: resource temporarily unavailable"},
	} {
		if fault.CodeOf(test.err) != test.code || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: %v (%s), want %s %q", name, test.err, fault.CodeOf(test.err), test.code, test.want)
		}
	}
}
