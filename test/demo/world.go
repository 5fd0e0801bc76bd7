package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// The runner's token, and the project and pipeline that it gets jobs of.
const (
	runnerToken = "glrt-demo000001"
	projectPath = "acme/shop"
	pipelineID  = 5001
)

// stopTime is how long an interrupted runner may take to clean up after its jobs.
const stopTime = 20 * time.Second

// world is the parts that the pipeline runs on.
type world struct {
	dir      string
	store    string // rolecall's folder for the state of jobs, in memory where the host has /dev/shm
	gitlab   *coordinator.Server
	sts      servers
	recorder *lab.Recorder
	runner   *lab.RunnerService
	registry *lab.Registry // nil: no job has an image
}

// step starts one part.
type step struct {
	what string
	run  func() error
}

// start starts the parts. What it returns must be closed, also after an error.
func (d *demo) start(ctx context.Context, p pipeline, yaml string) (*world, error) {
	w := &world{}
	var err error
	if w.dir, err = os.MkdirTemp("", "rolecall-demo-"); err != nil {
		return w, err
	}
	if err = w.makeStore(); err != nil {
		return w, err
	}
	steps := []step{
		{"a stand-in for GitLab, which signs ID tokens as GitLab does", func() error { return w.startGitLab(yaml) }},
		{describeSTS(d.sts), func() error { return w.startSTS(ctx, d.sts, p) }},
	}
	if p.image() != "" {
		steps = append(steps, step{"a registry, with an image that stands in for amazon/aws-cli: its program is s3job, a client of S3", func() error { return w.startRegistry(ctx, p.image()) }})
	}
	for _, step := range append(steps, step{"GitLab Runner, with rolecall as its custom executor", func() error { return w.startRunner(p) }}) {
		began := time.Now()
		if err := step.run(); err != nil {
			return w, err
		}
		d.line("  %5.1f s  %s", time.Since(began).Seconds(), step.what)
	}
	return w, nil
}

// makeStore makes the folder for the state of jobs, which the demo removes at its end.
func (w *world) makeStore() (err error) {
	const memory = "/dev/shm"
	parent := w.dir
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		parent = memory
	}
	w.store, err = os.MkdirTemp(parent, "rolecall-demo-")
	return err
}

// startGitLab starts the coordinator and gives the project its repository.
func (w *world) startGitLab(yaml string) (err error) {
	if w.gitlab, err = coordinator.Start(); err != nil {
		return err
	}
	repo, err := coordinator.NewRepo(filepath.Join(w.dir, "repo"), map[string]string{".gitlab-ci.yml": yaml})
	if err != nil {
		return err
	}
	w.gitlab.Host(projectPath, repo)
	return nil
}

// startRunner starts the runner. It does not end with the demo's context, as it is to clean up
// after its jobs then.
func (w *world) startRunner(p pipeline) (err error) {
	policy, err := w.writePolicy(p)
	if err != nil {
		return err
	}
	dir := filepath.Join(w.dir, "runner")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	w.runner, err = lab.StartRunner(context.Background(), lab.RunnerOptions{
		Dir:         dir,
		Programs:    programs(p),
		Coordinator: w.gitlab.URL(),
		Runners:     []lab.Runner{{Name: "shared", Token: runnerToken, Args: []string{"--config", policy}}},
		Env:         []string{"AWS_ENDPOINT_URL_STS=" + w.recorder.URL(), "AWS_REGION=us-east-1"},
	})
	return err
}

// stopRunner lets the runner end as an admin would. With abort it ends its jobs first.
func (w *world) stopRunner(abort bool) error {
	if w.runner == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if !abort {
		return w.runner.Stop(ctx)
	}
	if err := w.runner.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return w.runner.Wait(ctx)
}

// close stops whatever still runs and removes the parts' files.
func (w *world) close() error {
	var errs []error
	if w.runner != nil {
		errs = append(errs, w.runner.Close())
	}
	if w.recorder != nil {
		w.recorder.Close()
	}
	if w.sts != nil {
		w.sts.Close()
	}
	if w.gitlab != nil {
		w.gitlab.Close()
	}
	if w.registry != nil {
		w.registry.Close()
	}
	if w.store != "" {
		errs = append(errs, os.RemoveAll(w.store))
	}
	return errors.Join(append(errs, os.RemoveAll(w.dir))...)
}
