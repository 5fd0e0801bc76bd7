package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/lab"
)

// The runners by their tokens: the driver's, and one for comparison.
const (
	driverToken = "glrt-soak000001"
	shellToken  = "glrt-shell00001"
)

// All tenants deploy one project, so that nothing but the driver keeps them apart.
const (
	projectPath = "acme/soak"
	projectID   = 42
)

// stopTime is how long the runner may take to end without jobs, or to abort those that it has.
const stopTime = 30 * time.Second

// world is the parts that the jobs run on.
type world struct {
	dir         string // of all files but the credentials
	credentials string // the credentials_dir
	marker      string // an argument of what jobs leave running
	users       []string
	programs    lab.Programs
	gitlab      *coordinator.Server
	sts         *fakests.Server
	runner      *lab.RunnerService
	registry    *lab.Registry // nil: no job has an image
}

// start starts the parts. What it returns must be closed, also after an error.
func start(o options) (*world, error) {
	w := &world{marker: fmt.Sprintf("86399.%09d", rand.IntN(1e9))}
	var err error
	if w.programs, err = lab.Binaries(); err != nil {
		return w, err
	}
	if w.dir, err = os.MkdirTemp("/tmp", "rolecall-soak-"); err != nil { // users must be able to pass through it
		return w, err
	}
	w.credentials = "/dev/shm/" + filepath.Base(w.dir)
	if err := os.Chmod(w.dir, 0o711); err != nil {
		return w, err
	}
	if w.gitlab, err = coordinator.Start(); err != nil {
		return w, err
	}
	repo, err := coordinator.NewRepo(filepath.Join(w.dir, "repo"), map[string]string{"README.md": "hello\n"})
	if err != nil {
		return w, err
	}
	w.gitlab.Host(projectPath, repo)
	if w.sts, err = fakests.Start(); err != nil {
		return w, err
	}
	if o.images {
		if err := w.startRegistry(context.Background()); err != nil { // as startRunner
			return w, err
		}
	}
	w.users = usersFor(o.tenants)
	if err := os.WriteFile(w.policy(), []byte(w.policyText(o.tenants)), 0o600); err != nil {
		return w, err
	}
	return w, w.startRunner(o)
}

// startRunner starts the runner. It does not end with a context, as it is to clean up after its
// jobs also when the soak is interrupted.
func (w *world) startRunner(o options) (err error) {
	dir := filepath.Join(w.dir, "runner")
	if err := os.Mkdir(dir, 0o711); err != nil { // users start the driver's programs there
		return err
	}
	w.runner, err = lab.StartRunner(context.Background(), lab.RunnerOptions{
		Dir:         dir,
		Coordinator: w.gitlab.URL(),
		Concurrent:  o.concurrent,
		Runners: []lab.Runner{
			{Name: "driver", Token: driverToken, Args: []string{"--config", w.policy()}, Settings: "request_concurrency = 4"},
			{Name: "shell", Token: shellToken, Executor: "shell", Settings: "request_concurrency = 4"},
		},
		Env: []string{"AWS_ENDPOINT_URL_STS=" + w.sts.URL(), "AWS_REGION=eu-central-1"},
	})
	return err
}

// usersFor returns system users who stand for those of the first tenants. Only root can run
// jobs as them.
func usersFor(tenants int) []string {
	var found []string
	for _, name := range []string{"www-data", "backup", "list", "games", "news", "irc"} {
		if _, err := user.Lookup(name); err == nil && os.Geteuid() == 0 && len(found) < tenants {
			found = append(found, name)
		}
	}
	return found
}

// tenantName, audience and roleARN are those of tenant i.
func tenantName(i int) string             { return fmt.Sprintf("t%02d", i) }
func audience(tenant string) string       { return "https://" + tenant + ".example" }
func roleARN(tenant string) string        { return "arn:aws:iam::111122223333:role/" + tenant }
func (w *world) policy() string           { return filepath.Join(w.dir, "rolecall.toml") }
func (w *world) builds() string           { return filepath.Join(w.dir, "builds") }
func (w *world) place(name string) string { return filepath.Join(w.dir, name) }

// policyText is a policy in which the first tenants have unix users.
func (w *world) policyText(tenants int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "shared_user = \"unsafe\"\nrun_as_root = \"unsafe\"\nbuilds_dir = %q\ncache_dir = %q\ncredentials_dir = %q\naudit_log = %q\n[gitlab]\nissuer = %q\n%s",
		w.builds(), w.place("cache"), w.credentials, w.place("audit.jsonl"), w.gitlab.Issuer(), w.containers())
	for i := range tenants {
		name := tenantName(i)
		fmt.Fprintf(&text, "[[tenant]]\nname = %q\nrole_arn = %q\naudience = %q\nprojects = [%q]\nrefs = [\"main\"]\nprotected = true\n",
			name, roleARN(name), audience(name), projectPath)
		if i < len(w.users) {
			fmt.Fprintf(&text, "run_as = %q\n", w.users[i])
		}
	}
	return text.String()
}

// warmUp runs a job on each runner, after which the runner has the connections that it keeps.
func (w *world) warmUp(ctx context.Context) error {
	for _, t := range []*task{{kind: plain, tenant: tenantName(0)}, {kind: compared, tenant: nobody}} {
		w.fill(t, newRandom(0))
		run := w.gitlab.Enqueue(t.kind.token(), t.job)
		result, err := run.Wait(ctx)
		if err == nil && result.State != "success" {
			err = fmt.Errorf("it ended as %+v; its log:\n%s", result, run.Text())
		}
		if err != nil {
			return fmt.Errorf("the first job: %w", err)
		}
	}
	return nil
}

func project() coordinator.Project { return coordinator.Project{ID: projectID, Path: projectPath} }

// stop ends the runner, with a signal that says how.
func (w *world) stop(ctx context.Context, signal syscall.Signal) error {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := w.runner.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return w.runner.Wait(ctx)
}

// close stops whatever still runs and removes all files.
func (w *world) close() error {
	var errs []error
	if w.runner != nil {
		errs = append(errs, w.stop(context.Background(), syscall.SIGTERM), w.runner.Close())
	}
	for _, pid := range w.marked() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // It may have ended meanwhile.
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
	if w.dir != "" {
		errs = append(errs, os.RemoveAll(w.dir), os.RemoveAll(w.credentials))
	}
	return errors.Join(errs...)
}
