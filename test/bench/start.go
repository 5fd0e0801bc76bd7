package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rolecall/test/lab"
)

const (
	startRounds = 400
	startLimit  = 1.2
	startAim    = 1.1

	runRounds = 200
	runLimit  = 1.4
	runAim    = 1.3
)

// processStart compares the stages that the runner starts again and again, doing nothing, with
// a program that does nothing; and a run of an empty script with bash.
func (b bencher) processStart(ctx context.Context) ([]result, error) {
	hello := filepath.Join(b.dir, "hello")
	if err := build(ctx, hello, "./test/bench/floor/hello"); err != nil {
		return nil, err
	}
	samples, err := compare(ctx, startRounds,
		starting(hello), starting(b.programs.Config, "--version"),
		starting(b.programs.Run, "--version"), starting(b.programs.Cleanup, "--version"))
	if err != nil {
		return nil, err
	}
	var results []result
	for i, name := range []string{"config", "run", "cleanup"} {
		results = append(results, result{
			what: name + " --version", times: samples[i+1],
			against: "Go hello-world", base: samples[0], floor: samples[0], limit: startLimit, aim: startAim,
		})
	}
	run, err := b.runAlone(ctx)
	return append(results, run), err
}

// runAlone compares a run of an empty script with bash that reads the script itself.
func (b bencher) runAlone(ctx context.Context) (result, error) {
	least, err := b.buildFloor(ctx)
	if err != nil {
		return result{}, err
	}
	i, err := b.newIssuer()
	if err != nil {
		return result{}, err
	}
	defer i.close()
	if err := i.configure(ctx); err != nil {
		return result{}, err
	}
	script := filepath.Join(b.dir, "empty.sh")
	if err := os.WriteFile(script, []byte(":\n"), 0o600); err != nil {
		return result{}, err
	}
	var samples []sample
	err = i.during(ctx, func(env []string) (err error) {
		samples, err = compare(ctx, runRounds,
			b.readBy(env, script, b.programs.Run, append(lab.AsRoot(), script, "build_script")...),
			b.readBy(env, script, "bash", "-l"),
			b.readBy(env, script, least.run, script, "build_script"))
		return err
	})
	if err != nil {
		return result{}, err
	}
	return result{
		what: "run of an empty script", times: samples[0], against: "bash -l < script", base: samples[1], floor: samples[2], limit: runLimit, aim: runAim,
	}, nil
}

// during prepares a job without a tenant, calls do with the variables of its stages, and cleans up.
func (i *issuer) during(ctx context.Context, do func(env []string) error) error {
	env, err := i.next(i.told)
	if err != nil {
		return err
	}
	env = slices.DeleteFunc(env, func(entry string) bool {
		return strings.HasPrefix(entry, "CUSTOM_ENV_TENANT=") || strings.HasPrefix(entry, "CUSTOM_ENV_ROLE_ARN=") || strings.HasPrefix(entry, "CUSTOM_ENV_GITLAB_OIDC_TOKEN=")
	})
	_, err = timed(command(ctx, env, i.programs.Prepare, lab.AsRoot()...))
	if err == nil {
		err = do(env)
	}
	_, cleaned := timed(command(context.WithoutCancel(ctx), env, i.programs.Cleanup, lab.AsRoot()...))
	return errors.Join(err, cleaned)
}

// readBy measures a program whose standard input is the script, with the variables of a stage.
func (b bencher) readBy(env []string, script, program string, args ...string) contender {
	return func(ctx context.Context) (time.Duration, error) {
		in, err := os.Open(script)
		if err != nil {
			return 0, err
		}
		defer func() { _ = in.Close() }()
		cmd := command(ctx, env, program, args...)
		cmd.Stdin = in
		return timed(cmd)
	}
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
