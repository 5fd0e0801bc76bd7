// Package e2e_test runs whole jobs: a real GitLab Runner drives the built
// binaries, a stand-in for GitLab hands out the jobs and signs their ID tokens,
// MinIO is the STS, and S3 judges who a job is.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/state"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// The runners of one service, by their tokens.
const (
	sharedToken = "glrt-shared0001" // any tenant: the job names it
	alphaToken  = "glrt-alpha00001" // --tenant alpha
	plainToken  = "glrt-plain00001" // scripts run as the service's user
	shellToken  = "glrt-shell00001" // the shell executor
)

// world is the parts that a test's jobs run on.
type world struct {
	gitlab   *coordinator.Server
	minio    *lab.MinIO
	recorder *lab.Recorder
	runner   *lab.RunnerService

	args []string // of the programs of the first runner
	env  []string // of its service

	// dress changes each job before the runner gets it; nil: it stays as it is.
	dress func(coordinator.Job) coordinator.Job

	mu     sync.Mutex
	runs   []*coordinator.Run
	places []string // builds_dir and cache_dir of a policy file
}

// audience returns the aud by which MinIO tells the tenants apart.
func audience(tenant string) string { return "https://" + tenant + ".example" }

// newWorld starts a world whose STS is MinIO. The runners are those of start.
func newWorld(t *testing.T, runners ...lab.Runner) *world {
	t.Helper()
	w := &world{gitlab: startGitLab(t)}
	w.startMinIO(t)
	w.start(t, w.recorder.URL(), runners...)
	return w
}

// startMinIO starts MinIO, and before it the proxy that remembers what it issues.
func (w *world) startMinIO(t *testing.T) {
	t.Helper()
	var err error
	w.minio, err = lab.StartMinIO(t.Context(), lab.MinIOOptions{
		Dir:    t.TempDir(),
		Issuer: w.gitlab.Issuer(),
		Tenants: map[string]lab.Tenant{
			"alpha": {Audience: audience("alpha")},
			"beta":  {Audience: audience("beta")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.minio.Close)
	if w.recorder, err = lab.Record(w.minio.URL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.recorder.Close)
}

// startGitLab starts the stand-in for GitLab with the repository of acme/deploy.
func startGitLab(t *testing.T) *coordinator.Server {
	t.Helper()
	gitlab, err := coordinator.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gitlab.Close)
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"README.md": "hello\n", ".gitignore": "ignored\n"})
	if err != nil {
		t.Fatal(err)
	}
	gitlab.Host("acme/deploy", repo)
	return gitlab
}

// start starts the runner service, with sts as its endpoint of STS. Where no
// runners are named it has three, without a policy file.
func (w *world) start(t *testing.T, sts string, runners ...lab.Runner) {
	t.Helper()
	if len(runners) == 0 {
		runners = []lab.Runner{
			{Name: "shared", Token: sharedToken, Args: lab.NoPolicy()},
			{Name: "alpha", Token: alphaToken, Args: append(lab.NoPolicy(), "--tenant", "alpha")},
			{Name: "plain", Token: plainToken, Args: lab.AsRoot()},
			{Name: "shell", Token: shellToken, Executor: "shell"},
		}
	}
	w.args = runners[0].Args
	w.env = []string{
		"AWS_ENDPOINT_URL_STS=" + sts, "AWS_REGION=eu-central-1",
		// What a host may have of its own, and no script may get.
		"AWS_PROFILE=host", "AWS_ACCESS_KEY_ID=AKIAHOST", "AWS_SECRET_ACCESS_KEY=host",
	}
	var err error
	w.runner, err = lab.StartRunner(t.Context(), lab.RunnerOptions{
		Dir:         t.TempDir(),
		Coordinator: w.gitlab.URL(),
		Concurrent:  8,
		Env:         w.env,
		Runners:     runners,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.runner.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(w.runner.Log())
		}
	})
}

// job returns a job of acme/deploy that asks for tenant's credentials.
func (w *world) job(tenant string, script ...string) coordinator.Job {
	arn := "arn:aws:iam::111122223333:role/" + tenant
	if w.minio != nil {
		arn = w.minio.RoleARN(tenant)
	}
	return coordinator.Job{
		Name:     "deploy: [" + tenant + "]",
		Project:  coordinator.Project{ID: 42, Path: "acme/deploy"},
		Script:   script,
		IDTokens: map[string]string{"GITLAB_OIDC_TOKEN": audience(tenant)},
		Variables: []coordinator.Variable{
			{Key: "TENANT", Value: tenant},
			{Key: "ROLE_ARN", Value: arn},
		},
		Environment: tenant,
	}
}

// enqueue gives a job to the runner with that token.
func (w *world) enqueue(token string, job coordinator.Job) *coordinator.Run {
	if w.dress != nil {
		job = w.dress(job)
	}
	run := w.gitlab.Enqueue(token, job)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, run)
	return run
}

// wait waits for the end of a job.
func wait(t *testing.T, run *coordinator.Run) coordinator.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	result, err := run.Wait(ctx)
	if err != nil {
		t.Fatalf("%v; log:\n%s", err, run.Text())
	}
	return result
}

// succeed runs a job to its success and returns its log.
func (w *world) succeed(t *testing.T, token string, job coordinator.Job) string {
	t.Helper()
	run := w.enqueue(token, job)
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	return run.Text()
}

// contains fails the test for every text that is not in the log.
func contains(t *testing.T, log string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(log, text) && !strings.Contains(kit.Flat(log), text) {
			t.Errorf("no %q in the log:\n%s", text, log)
		}
	}
}

// settle waits until the runner has let go of all its jobs. To a job that comes before, it
// gives another folder than that of the job before.
func (w *world) settle(t *testing.T) {
	t.Helper()
	for range 200 {
		log := w.runner.Log()
		if strings.Count(log, "Added job to processing list") == strings.Count(log, "Removed job from processing list") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the runner does not let go of a job")
}

// s3 returns a line of a script that calls S3 as the job.
func (w *world) s3(args string) string {
	return fmt.Sprintf("s3job -endpoint %s %s", w.minio.URL, args)
}

// checkNothingLeft fails the test where a secret or a folder of a job is left
// anywhere that the driver, the runner or a job writes to.
func (w *world) checkNothingLeft(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	secrets := w.recorder.Secrets()
	if len(secrets) == 0 {
		t.Fatal("no credentials were issued")
	}
	for _, run := range w.runs {
		if token := run.IDToken("GITLAB_OIDC_TOKEN"); token != "" {
			secrets = append(secrets, token)
		}
		checkUploads(t, run, secrets)
		for _, root := range state.Roots() {
			if _, err := os.Lstat(filepath.Join(root, fmt.Sprint(run.ID()))); err == nil {
				t.Errorf("%s holds a folder of job %d", root, run.ID())
			}
		}
	}
	dirs := append(append(state.Roots(), w.places...), w.runner.BuildsDir, w.runner.CacheDir, w.runner.HomeDir, w.runner.TempDir)
	files, found, err := lab.Search(secrets, dirs...)
	if err != nil || files == 0 || len(found) > 0 {
		t.Errorf("a search for %d secrets in %d files: found in %v, %v", len(secrets), files, found, err)
	}
	for _, builds := range append([]string{w.runner.BuildsDir}, w.places...) {
		for _, depth := range []string{"", "*/*/"} { // a policy's has a folder for each tenant and trust class
			links, err := filepath.Glob(filepath.Join(builds, depth+"*/*/*/*.tmp/rolecall-*"))
			if err != nil || len(links) > 0 {
				t.Errorf("folders are left in the build directories: %v, %v", links, err)
			}
		}
	}
}

// checkUploads fails the test where the log or an upload of a job holds a secret.
func checkUploads(t *testing.T, run *coordinator.Run, secrets []string) {
	t.Helper()
	texts := map[string]string{"log": run.Text()}
	for _, upload := range run.Artifacts() {
		files, err := upload.Files()
		if err != nil {
			t.Error(err)
		}
		for name, content := range files {
			texts[name] = string(content)
		}
	}
	for name, text := range texts {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("job %d: %s holds a secret", run.ID(), name)
			}
		}
	}
}
