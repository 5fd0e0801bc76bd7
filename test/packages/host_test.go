package packages_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// The folders of the packages, and of those of a later version.
const (
	distVariable = "ROLECALL_DIST"
	nextVariable = "ROLECALL_NEXT"
)

// dist returns the folder of the packages.
func dist(t *testing.T, variable string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skip("NOT TESTED, run make check-packages: the packages")
	}
	return dir
}

// one returns the only file in a folder that matches a pattern.
func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) != 1 {
		t.Fatalf("%s has %v for %s, want one file: %v", dir, found, pattern, err)
	}
	return found[0]
}

// The driver's packages for this host, and the token of its runner.
const (
	driverDeb = "rolecall_*_amd64.deb"
	brokerDeb = "rolecall-broker_*_amd64.deb"
	token     = "glrt-packages01"
	audience  = "https://alpha.example"
)

// host is a fresh Debian.
type host struct {
	*lab.Debian
	gitlab   *coordinator.Server
	minio    *lab.MinIO
	recorder *lab.Recorder
	gate     *gate
}

// unpack returns a Debian that has not been started.
func unpack(t *testing.T) host {
	t.Helper()
	kit.NeedRoot(t, "packages on a fresh host")
	d, err := lab.UnpackDebian(t.Context(), kit.OpenDir(t))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("NOT TESTED, packages on a fresh host: %v", err)
	}
	kit.Must(t, err)
	return host{Debian: d}
}

// boot returns a Debian that runs, without GitLab Runner.
func boot(t *testing.T) host {
	t.Helper()
	h := unpack(t)
	t.Cleanup(func() { kit.Must(t, h.Close()) })
	if err := h.Start(t.Context()); errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("NOT TESTED, packages on a fresh host: %v", err)
	} else {
		kit.Must(t, err)
	}
	return h
}

// sh runs a script as root of the host, which must succeed, and returns what it prints.
func (h host) sh(t *testing.T, script string) string {
	t.Helper()
	out, err := h.Run(t.Context(), script)
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// write writes a file of the host.
func (h host) write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	kit.Must(t, h.Write(path, content, mode))
}

// bring copies a file of this host to the folder /root of the other one, and returns its path
// there.
func (h host) bring(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	kit.Must(t, err)
	target := filepath.Join("/root", filepath.Base(path))
	h.write(t, target, string(content), 0o644)
	return target
}

// startRunner starts GitLab, STS and S3 on this host, and GitLab Runner on the other one, as its
// own package does.
func (h *host) startRunner(t *testing.T) {
	t.Helper()
	var err error
	h.gitlab, err = coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(h.gitlab.Close)
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"README.md": "hello\n"})
	kit.Must(t, err)
	h.gitlab.Host("acme/shop", repo)
	h.minio, err = lab.StartMinIO(t.Context(), lab.MinIOOptions{
		Dir: t.TempDir(), Issuer: h.gitlab.Issuer(), Tenants: map[string]lab.Tenant{"alpha": {Audience: audience}},
	})
	kit.Must(t, err)
	t.Cleanup(h.minio.Close)
	h.recorder, err = lab.Record(h.minio.URL)
	kit.Must(t, err)
	t.Cleanup(h.recorder.Close)
	h.gate = newGate(t, h.recorder.URL())
	kit.Must(t, h.InstallRunner(t.Context(), h.gate.url))
}

// setUp does what an admin does after the installation. What of it a command of rolecall can do
// belongs here.
func (h host) setUp(t *testing.T) {
	t.Helper()
	for _, user := range []string{"ci-alpha", "ci-none"} {
		h.sh(t, "useradd --system --create-home --skel /dev/null --shell /usr/sbin/nologin "+user)
	}
	h.write(t, "/etc/rolecall/rolecall.toml", strings.NewReplacer("GITLAB", h.gitlab.URL(), "ROLE", h.minio.RoleARN("alpha"), "AUDIENCE", audience).Replace(`
builds_dir = "/var/lib/rolecall/builds"
cache_dir = "/var/lib/rolecall/cache"
audit_log = "/var/lib/rolecall/audit.jsonl"
run_as = "ci-none"

[gitlab]
issuer = "GITLAB"

[[tenant]]
name = "alpha"
run_as = "ci-alpha"
role_arn = "ROLE"
audience = "AUDIENCE"
projects = ["acme/shop"]
`), 0o600)
	h.write(t, "/etc/gitlab-runner/config.toml", strings.NewReplacer("GITLAB", h.gitlab.URL(), "TOKEN", token).Replace(`
concurrent = 8
check_interval = 1
shutdown_timeout = 60

[[runners]]
  name = "deploy"
  url = "GITLAB"
  token = "TOKEN"
  executor = "custom"
  request_concurrency = 8
  [runners.custom]
    config_exec = "/usr/libexec/rolecall/config"
    prepare_exec = "/usr/libexec/rolecall/prepare"
    run_exec = "/usr/libexec/rolecall/run"
    cleanup_exec = "/usr/libexec/rolecall/cleanup"
    graceful_kill_timeout = 15
    force_kill_timeout = 5
`), 0o600)
	h.sh(t, `install -D -m 0644 /usr/share/rolecall/gitlab-runner.conf /etc/systemd/system/gitlab-runner.service.d/rolecall.conf
systemctl daemon-reload
systemctl start gitlab-runner`)
}

// enqueue gives the runner a job of the tenant alpha.
func (h host) enqueue(job coordinator.Job) *coordinator.Run {
	job.Project = coordinator.Project{ID: 42, Path: "acme/shop"}
	job.IDTokens = map[string]string{"GITLAB_OIDC_TOKEN": audience}
	job.Variables = []coordinator.Variable{{Key: "TENANT", Value: "alpha"}, {Key: "S3_URL", Value: h.recorder.URL(), Public: true}}
	return h.gitlab.Enqueue(token, job)
}

// ends waits for the end of a job, and returns how it has ended.
func ends(t *testing.T, run *coordinator.Run) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	result, err := run.Wait(ctx)
	if err != nil {
		t.Fatalf("%v; log:\n%s", err, run.Text())
	}
	return result.State
}

// succeeds fails the test unless a job ends well.
func succeeds(t *testing.T, run *coordinator.Run) {
	t.Helper()
	if state := ends(t, run); state != "success" {
		t.Errorf("job %d: %s; log:\n%s", run.ID(), state, run.Text())
	}
}

// waitLog waits until the log of a job has a text.
func waitLog(t *testing.T, run *coordinator.Run, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := run.WaitLog(ctx, text); err != nil {
		t.Fatalf("no %q: %v; log:\n%s", text, err, run.Text())
	}
}

// gate is a way to a server that can be closed: who comes then waits.
type gate struct {
	url    string
	closed sync.RWMutex
	came   chan struct{} // has an item for each request that found it closed
}

// newGate returns a way to the server at target.
func newGate(t *testing.T, target string) *gate {
	t.Helper()
	to, err := url.Parse(target)
	kit.Must(t, err)
	g := &gate{came: make(chan struct{}, 100)}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorLog = log.New(io.Discard, "", 0) // of clients that are killed
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.closed.TryRLock() {
			g.came <- struct{}{}
			g.closed.RLock()
		}
		defer g.closed.RUnlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.url = server.URL
	return g
}
