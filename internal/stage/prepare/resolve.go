package prepare

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/image"
	"rolecall/internal/program"
	"rolecall/internal/registry/question"
)

// resolve asks the registry of an image, with the login that the job has there. It starts the
// program registry, which lies beside this one, with the rights of a script.
func (a admitted) resolve(ctx context.Context, i backend.Image) (string, error) {
	asked, err := json.Marshal(question.Question{
		Name: i.Name, Platform: i.Platform, Login: (*backend.Login)(image.LoginFor(i.Name, a.s.Logins)), Within: within(ctx),
	})
	if err != nil {
		return "", err
	}
	cmd, err := a.registry(ctx)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	progress, done := a.sayLines()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(asked), &out, progress
	err = program.CannotStart(cmd, a.place.Start(a.folder.Record().Data, cmd))
	if err == nil {
		err = cmd.Wait()
	}
	done()
	if err != nil {
		return "", fmt.Errorf("the program registry: %w", err)
	}
	var answer question.Answer
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return "", err
	}
	return answer.Result()
}

// within returns how long a registry may take to answer: a second less than there is time, or
// half of it, so that the program can say what it has waited for.
func within(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	left := time.Until(deadline)
	return max(left-time.Second, left/2, time.Millisecond)
}

// registry returns the command of the program registry.
func (a admitted) registry(ctx context.Context) (*exec.Cmd, error) {
	cmd, err := program.Beside(ctx, question.Program)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(program.Proxies(a.Env.Service), program.Certificates(a.Env.Service)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second
	return cmd, nil
}

// sayLines returns a writer each of whose lines is shown in the job log, and how to end it.
func (a admitted) sayLines() (io.Writer, func()) {
	from, to := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(from); lines.Scan(); {
			a.say(lines.Text())
		}
		_, _ = io.Copy(io.Discard, from) // what follows a line that is too long
	}()
	return to, func() { _ = to.Close(); <-ended }
}
