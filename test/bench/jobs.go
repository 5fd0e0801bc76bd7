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
	jobRounds   = 80
	jobLimit    = 1.15 // of the floor driver's own time
	jobAim      = 1.08
	tenantLimit = 1.3
	tenantAim   = 1.2
	asLimit     = 1.05
	asAim       = 1.0

	longRounds = 8
	longLimit  = 1.1
)

// The runners that are compared, by their tokens.
const (
	customToken = "glrt-custom0001"
	shellToken  = "glrt-shell00001"
	floorToken  = "glrt-floor00001"
	ownToken    = "glrt-own0000001"
	asToken     = "glrt-as00000001"
)

// jobs compares a whole job on rolecall with the same one on the shell executor and on the floor
// driver, in one process of GitLab Runner.
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
	least, err := b.buildFloor(ctx)
	if err != nil {
		return nil, err
	}
	runner, err := b.startRunner(gitlab, sts, least)
	if err != nil {
		return nil, err
	}
	results, err := b.measureJobs(ctx, gitlab)
	return results, errors.Join(err, stop(runner))
}

// measureJobs measures the jobs.
func (b bencher) measureJobs(ctx context.Context, gitlab *coordinator.Server) ([]result, error) {
	hi := coordinator.Job{Script: echo()}
	short, err := compare(ctx, jobRounds,
		running(gitlab, shellToken, hi), running(gitlab, floorToken, hi), running(gitlab, customToken, hi), running(gitlab, customToken, tenantJob(echo())))
	if err != nil {
		return nil, err
	}
	as := []sample{nil, nil}
	if os.Geteuid() == 0 {
		if as, err = compare(ctx, jobRounds, running(gitlab, asToken, hi), running(gitlab, ownToken, hi)); err != nil {
			return nil, err
		}
	}
	long, err := compare(ctx, longRounds,
		running(gitlab, customToken, tenantJob(print50MB())),
		running(gitlab, customToken, coordinator.Job{Script: print50MB()}))
	if err != nil {
		return nil, err
	}
	const shell, floor = "shell executor, the same job", "floor driver, the same job"
	least := float64(short[1].quantile(0.5)) / float64(short[0].quantile(0.5))
	own := result{what: "job of echo hi with run_as", times: as[0], against: "the same job without", base: as[1], limit: asLimit, aim: asAim}
	if os.Geteuid() != 0 {
		own.note = "it needs root"
	}
	return []result{
		{what: "job of echo hi", times: short[2], against: floor, base: short[1], floor: short[1], limit: jobLimit, aim: jobAim},
		{what: "job of echo hi with a tenant", times: short[3], against: floor, base: short[1], floor: short[1], limit: tenantLimit, aim: tenantAim},
		{what: "job of echo hi", times: short[2], against: shell, base: short[0], floor: short[1], limit: jobLimit * least, aim: jobAim * least},
		{what: "job of echo hi with a tenant", times: short[3], against: shell, base: short[0], floor: short[1]},
		own,
		{what: "job that prints 50 MB, masked", times: long[0], against: "the same job, not masked", base: long[1], floor: long[1], limit: longLimit},
	}, nil
}

func echo() []string { return []string{"echo hi"} }

// print50MB is a script with a log like that of a verbose build.
func print50MB() []string {
	return []string{`yes "2026-01-02T10:11:12.131Z INFO  [main] ApplicationTests - Started in 1415 seconds" | head -c 52428800 || true`}
}

// startRunner starts a runner for all that is compared, with an empty home. It does not end with
// the bench's context, as it is to clean up after its job then.
func (b bencher) startRunner(gitlab *coordinator.Server, sts *fakests.Server, least floor) (*lab.RunnerService, error) {
	dir := filepath.Join(b.dir, "runner")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	runners := []lab.Runner{
		{Name: "custom", Token: customToken, Args: lab.AsRoot()},
		{Name: "floor", Token: floorToken, Driver: least.driver()},
		{Name: "shell", Token: shellToken, Executor: "shell"},
	}
	if os.Geteuid() == 0 {
		own, err := b.placedPolicy(gitlab, "own", `run_as_root = "unsafe"`)
		if err != nil {
			return nil, err
		}
		as, err := b.placedPolicy(gitlab, "as", `run_as = "www-data"`)
		if err != nil {
			return nil, err
		}
		runners = append(runners, lab.Runner{Name: "own", Token: ownToken, Args: own}, lab.Runner{Name: "as", Token: asToken, Args: as})
	}
	runner, err := lab.StartRunner(context.Background(), lab.RunnerOptions{
		Dir: dir, Coordinator: gitlab.URL(), Runners: runners,
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

// placedPolicy writes a policy file with a setting of where scripts run, and returns the flags that
// name it.
func (b bencher) placedPolicy(gitlab *coordinator.Server, name, setting string) ([]string, error) {
	path := filepath.Join(b.dir, name+"-jobs.toml")
	text := fmt.Sprintf("%s\nbuilds_dir = %q\ncache_dir = %q\n[gitlab]\nissuer = %q\n[[tenant]]\nname = \"nobody\"\nprojects = [\"none/none\"]\naudience = \"none\"\nrole_arn = %q\n",
		setting, filepath.Join(b.dir, name+"-builds"), filepath.Join(b.dir, name+"-cache"), gitlab.Issuer(), role)
	err := errors.Join(os.Chmod(b.dir, 0o711), os.WriteFile(path, []byte(text), 0o600))
	return []string{"--config", path}, err
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
