package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	startRounds = 400
	startLimit  = 1.3
)

// hello is the least that a Go program can be.
const hello = `package main

import "fmt"

func main() { fmt.Println("hello") }
`

// processStart compares the stages that the runner starts again and again, doing nothing, with
// a program that does nothing.
func (b bencher) processStart(ctx context.Context) ([]result, error) {
	program, err := b.buildHello(ctx)
	if err != nil {
		return nil, err
	}
	samples, err := compare(ctx, startRounds,
		starting(program), starting(b.programs.Config, "--version"),
		starting(b.programs.Run, "--version"), starting(b.programs.Cleanup, "--version"))
	if err != nil {
		return nil, err
	}
	var results []result
	for i, name := range []string{"config", "run", "cleanup"} {
		results = append(results, result{
			what: name + " --version", times: samples[i+1],
			against: "Go hello-world", base: samples[0], limit: startLimit,
		})
	}
	return results, nil
}

// buildHello builds the program with the driver's own flags.
func (b bencher) buildHello(ctx context.Context) (string, error) {
	dir := filepath.Join(b.dir, "hello")
	files := map[string]string{"main.go": hello, "go.mod": "module hello\n"}
	err := os.Mkdir(dir, 0o700)
	for name, content := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	if err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "hello", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the hello-world: %w\n%s", err, out)
	}
	return filepath.Join(dir, "hello"), nil
}

// starting measures a program from its start to its end.
func starting(program string, args ...string) contender {
	return func(ctx context.Context) (time.Duration, error) {
		return timed(command(ctx, nil, program, args...))
	}
}

// command is a program with an environment of its own.
func command(ctx context.Context, env []string, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}, env...)
	return cmd
}

// timed runs a command, which must succeed, without its output.
func timed(cmd *exec.Cmd) (time.Duration, error) {
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", cmd, err)
	}
	return took, nil
}
