package program_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/program"
	"rolecall/test/kit"
)

// watch waits until the runner wants it to end, and says why. Nobody may read its
// standard output any more then.
func watch(c *program.Call) error {
	ctx := c.Watch()()
	if _, err := fmt.Fprintln(c.Stdout, "ready"); err != nil {
		return err
	}
	<-ctx.Done()
	_, err := fmt.Fprintln(c.Stdout, "done")
	_, _ = fmt.Fprintln(c.Stderr, context.Cause(ctx), err)
	return nil
}

// TestWatch: a stage is told by a signal, and by the end of who reads its output, to
// end, and dies of neither.
func TestWatch(t *testing.T) {
	t.Parallel()
	signal := func(s syscall.Signal) func(*os.Process, *os.File) error {
		return func(p *os.Process, _ *os.File) error { return p.Signal(s) }
	}
	for name, test := range map[string]struct {
		end  func(*os.Process, *os.File) error
		says string
	}{
		"SIGTERM":   {signal(syscall.SIGTERM), "the runner has asked to stop <nil>\n"},
		"SIGINT":    {signal(syscall.SIGINT), "the runner has asked to stop <nil>\n"},
		"SIGHUP":    {signal(syscall.SIGHUP), "the runner has asked to stop <nil>\n"},
		"no reader": {func(_ *os.Process, out *os.File) error { return out.Close() }, "the runner is gone write /dev/stdout: broken pipe\n"},
		"no SIGPIPE": {func(p *os.Process, out *os.File) error {
			err := p.Signal(syscall.SIGPIPE)
			time.Sleep(50 * time.Millisecond) // enough to end, if the signal did that
			return errors.Join(err, out.Close())
		}, "the runner is gone write /dev/stdout: broken pipe\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, in, err := os.Pipe()
			kit.Must(t, err)
			defer out.Close()
			self, err := os.Executable()
			kit.Must(t, err)
			var stderr strings.Builder
			command := exec.CommandContext(t.Context(), self)
			command.Env = []string{childVariable + "=watch"}
			command.Stdout, command.Stderr = in, &stderr
			kit.Must(t, command.Start())
			kit.Must(t, in.Close())
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || line != "ready\n" {
				t.Fatalf("the stage has printed %q, %v", line, err)
			}
			kit.Must(t, test.end(command.Process, out))
			if err := command.Wait(); err != nil || !strings.HasPrefix(stderr.String(), test.says) {
				t.Errorf("the stage ended with %v, want %q in\n%s", err, test.says, &stderr)
			}
		})
	}
}
