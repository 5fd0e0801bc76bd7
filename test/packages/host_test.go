package packages_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
	ofBeta    = "https://beta.example"
)

// host is a fresh Debian.
type host struct {
	*lab.Debian
	gitlab   *coordinator.Server
	minio    *lab.MinIO
	recorder *lab.Recorder
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

// startRunner starts the servers, and installs GitLab Runner on the other host, as its own package
// does.
func (h *host) startRunner(t *testing.T) {
	t.Helper()
	h.startServers(t)
	kit.Must(t, h.InstallRunner(t.Context(), h.recorder.URL()))
}

// startServers starts GitLab, STS and S3 on this host.
func (h *host) startServers(t *testing.T) {
	t.Helper()
	var err error
	h.gitlab, err = coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(h.gitlab.Close)
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"README.md": "hello\n"})
	kit.Must(t, err)
	for _, project := range []string{"acme/shop", "acme/site", heldRepo} {
		h.gitlab.Host(project, repo)
	}
	h.minio, err = lab.StartMinIO(t.Context(), lab.MinIOOptions{
		Dir: t.TempDir(), Issuer: h.gitlab.Issuer(), Tenants: map[string]lab.Tenant{"alpha": {Audience: audience}, "beta": {Audience: ofBeta}, "cache": {Audience: "https://cache.example"}},
	})
	kit.Must(t, err)
	t.Cleanup(h.minio.Close)
	h.recorder, err = lab.Record(h.minio.URL)
	kit.Must(t, err)
	t.Cleanup(h.recorder.Close)
}

// ofAlpha returns a job of the tenant alpha.
func (h host) ofAlpha(job coordinator.Job) coordinator.Job {
	return h.of("alpha", audience, coordinator.Project{ID: 42, Path: "acme/shop"}, job)
}

// of returns a job of a tenant, with the ID token for its audience.
func (h host) of(tenant, audience string, project coordinator.Project, job coordinator.Job) coordinator.Job {
	job.Project = project
	job.IDTokens = map[string]string{"GITLAB_OIDC_TOKEN": audience}
	job.Variables = []coordinator.Variable{{Key: "TENANT", Value: tenant}, {Key: "S3_URL", Value: h.recorder.URL(), Public: true}}
	return job
}

// enqueue gives the runner a job of the tenant alpha.
func (h host) enqueue(job coordinator.Job) *coordinator.Run {
	return h.gitlab.Enqueue(token, h.ofAlpha(job))
}

// ends waits for the end of a job, and returns how it has ended.
func ends(t *testing.T, run *coordinator.Run) coordinator.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	result, err := run.Wait(ctx)
	if err != nil {
		t.Fatalf("%v; log:\n%s", err, run.Text())
	}
	return result
}

// succeeds fails the test unless a job ends well.
func succeeds(t *testing.T, run *coordinator.Run) {
	t.Helper()
	if result := ends(t, run); result.State != "success" {
		t.Errorf("job %d: %+v; log:\n%s", run.ID(), result, run.Text())
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
