// Package ask is the program registry: it asks the registry of an image what the name of the
// image stands for.
package ask

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"syscall"

	"rolecall/internal/process"
	"rolecall/internal/registry"
	"rolecall/internal/registry/question"
	"rolecall/internal/version"
)

// maxQuestion bounds the size of a question, in bytes of JSON.
const maxQuestion = 1 << 20

// Main runs the program registry as the main function of the process, and exits.
func Main() { process.Exit(Serve) }

// Serve reads a question from in, asks the registry, writes the answer to out, and prints on
// progress what it waits for. With --version as the only argument it writes its version
// instead. It ignores environ. It returns the exit code: 0 if it has written an answer, which
// may be an error, else 1, with the reason on progress.
func Serve(args, _ []string, in io.Reader, out, progress io.Writer) (code int) {
	if slices.Equal(args, []string{"--version"}) {
		_, _ = fmt.Fprintf(out, "rolecall registry %s\n", version.Long()) // there is nobody else to tell
		return 0
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var q question.Question
	err := json.NewDecoder(io.LimitReader(in, maxQuestion)).Decode(&q)
	if err == nil {
		err = json.NewEncoder(out).Encode(ask(ctx, q, progress))
	}
	if err != nil {
		_, _ = fmt.Fprintf(progress, "registry: %v\n", err)
		return 1
	}
	return 0
}

// ask asks the registry of an image.
func ask(ctx context.Context, q question.Question, progress io.Writer) question.Answer {
	if q.Within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.Within)
		defer cancel()
	}
	c := registry.NewClient()
	c.Notify = func(text string) { _, _ = fmt.Fprintln(progress, text) }
	var as *registry.Login
	if q.Login != nil {
		as = &registry.Login{Username: q.Login.Username, Password: q.Login.Password, Source: q.Login.Source}
	}
	says, err := c.Resolve(ctx, q.Name, q.Platform, as)
	return question.NewAnswer(says.Manifest, err)
}
