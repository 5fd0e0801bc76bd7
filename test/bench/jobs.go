package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/lab"
)

const (
	jobRounds = 80
	jobLimit  = 1.35
	jobAim    = 1.25

	longRounds = 8
	longLimit  = 1.1
)

// The runners that are compared, by their tokens.
const (
	customToken = "glrt-custom0001"
	shellToken  = "glrt-shell00001"
)

// jobs compares a whole job on rolecall with the same one on the shell executor, in one process
// of GitLab Runner. A job of a tenant is for information.
func (b bencher) jobs(ctx context.Context) ([]result, error) {
	gitlab, err := coordinator.Start()
	if err != nil {
		return nil, err
	}
	defer gitlab.Close()
	sts, err := fakests.Start()
	if err != nil {
		return nil, err
	}
	defer sts.Close()
	runner, err := b.startRunner(gitlab, sts)
	if err != nil {
		return nil, err
	}
	short, err := compare(ctx, jobRounds,
		running(gitlab, shellToken, coordinator.Job{Script: echo()}),
		running(gitlab, customToken, coordinator.Job{Script: echo()}),
		running(gitlab, customToken, tenantJob(echo())))
	var long []sample
	if err == nil {
		long, err = compare(ctx, longRounds,
			running(gitlab, customToken, tenantJob(print50MB())),
			running(gitlab, customToken, coordinator.Job{Script: print50MB()}))
	}
	if err := errors.Join(err, stop(runner)); err != nil {
		return nil, err
	}
	const shell = "shell executor, the same job"
	return []result{
		{what: fmt.Sprintf("job of echo hi (aim %.2fx)", jobAim), times: short[1], against: shell, base: short[0], limit: jobLimit},
		{what: "job of echo hi with a tenant", times: short[2], against: shell, base: short[0]},
		{what: "job that prints 50 MB, masked", times: long[0], against: "the same job, not masked", base: long[1], limit: longLimit},
	}, nil
}

func echo() []string { return []string{"echo hi"} }

// print50MB is a script with a log like that of a verbose build.
func print50MB() []string {
	return []string{`yes "2026-01-02T10:11:12.131Z INFO  [main] ApplicationTests - Started in 1415 seconds" | head -c 52428800 || true`}
}

// startRunner starts a runner for both executors, with an empty home. It does not end with the
// bench's context, as it is to clean up after its job then.
func (b bencher) startRunner(gitlab *coordinator.Server, sts *fakests.Server) (*lab.RunnerService, error) {
	dir := filepath.Join(b.dir, "runner")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	runner, err := lab.StartRunner(context.Background(), lab.RunnerOptions{
		Dir:         dir,
		Coordinator: gitlab.URL(),
		Runners: []lab.Runner{
			{Name: "custom", Token: customToken, Args: lab.AsRoot()},
			{Name: "shell", Token: shellToken, Executor: "shell"},
		},
		Env: []string{"AWS_ENDPOINT_URL_STS=" + sts.URL(), "AWS_REGION=eu-central-1"},
	})
	if err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(runner.HomeDir, ".profile")); err != nil {
		return nil, errors.Join(err, runner.Close())
	}
	return runner, nil
}

// stop ends a runner, which aborts its job if it has one.
func stop(runner *lab.RunnerService) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(runner.Signal(syscall.SIGTERM), runner.Wait(ctx), runner.Close())
}

// tenantJob is a job that gets credentials.
func tenantJob(script []string) coordinator.Job {
	return coordinator.Job{
		Script:    script,
		IDTokens:  map[string]string{"GITLAB_OIDC_TOKEN": "https://gitlab.example.com"},
		Variables: []coordinator.Variable{{Key: "TENANT", Value: "alpha"}, {Key: "ROLE_ARN", Value: role}},
	}
}

// running measures a job from when the runner takes it to when it reports the end.
func running(gitlab *coordinator.Server, token string, job coordinator.Job) contender {
	return func(ctx context.Context) (time.Duration, error) {
		run := gitlab.Enqueue(token, job)
		result, err := run.Wait(ctx)
		if err == nil && result.State != "success" {
			err = fmt.Errorf("the job ended as %s; its log:\n%s", result.State, run.Text())
		}
		return result.Took, err
	}
}
