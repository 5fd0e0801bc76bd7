package e2e_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"rolecall/test/coordinator"
	"rolecall/test/document"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// host is a fresh Debian that is set up by the letter of docs/install.md.
type host struct {
	*lab.Debian
	*world
}

// newHost starts a Debian with GitLab Runner, the parts that its jobs need, and no
// rolecall.
func newHost(t *testing.T) host {
	t.Helper()
	kit.NeedRoot(t, "a host that is set up by hand")
	d, err := lab.UnpackDebian(t.Context(), kit.OpenDir(t))
	if err == nil {
		t.Cleanup(func() { kit.Must(t, d.Close()) })
		err = d.Start(t.Context())
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		t.Skipf("NOT TESTED, a host that is set up by hand: %v", err)
	}
	kit.Must(t, err)
	h := host{d, &world{gitlab: startGitLab(t)}}
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"README.md": "hello\n"})
	kit.Must(t, err)
	h.gitlab.Host("acme/shop", repo)
	h.startMinIO(t)
	kit.Must(t, h.InstallRunner(t.Context(), h.recorder.URL()))
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

// checkHost checks a host, on which there may be something to look at.
const checkHost = "/usr/bin/rolecall check || [ $? = 3 ]"

// do does a step. Programs are built on this host, and installed on the other one.
func (h host) do(t *testing.T, s document.Step) string {
	t.Helper()
	line := strings.TrimPrefix(s.Command, "sudo ")
	switch {
	case s.File != "":
		h.write(t, s.File, h.own(s.Content), 0o600)
	case strings.HasPrefix(line, "make "):
		h.make(t, strings.Fields(line)[1:]...)
	case line == "rolecall check":
		return h.sh(t, checkHost)
	default:
		return h.sh(t, s.Command)
	}
	return ""
}

// make installs what make makes on the host.
func (h host) make(t *testing.T, targets ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "make", append(targets, "DESTDIR="+h.Root)...)
	command.Dir = "../.."
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("make %v: %v\n%s", targets, err, out)
	}
}

// own returns a file of the page with the servers, the runner's token and the roles of
// this test. MinIO tells roles apart by audiences.
func (h host) own(text string) string {
	audienceLine := regexp.MustCompile(`(?m)^audience = .*$`)
	tenants := strings.Split(text, "[[tenant]]")
	for i, part := range tenants {
		for _, tenant := range []string{"alpha", "beta"} {
			if strings.Contains(part, fmt.Sprintf("name = %q", tenant)) {
				part = audienceLine.ReplaceAllString(part, fmt.Sprintf("audience = %q", audience(tenant)))
				tenants[i] = regexp.MustCompile(`arn:aws:[^"]*`).ReplaceAllString(part, h.minio.RoleARN(tenant))
			}
		}
	}
	return strings.NewReplacer("https://gitlab.example.com", h.gitlab.URL(), "glrt-...", sharedToken).Replace(strings.Join(tenants, "[[tenant]]"))
}

// demoScript returns the script of the demo's deployments.
func demoScript(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../demo/gitlab-ci.yml")
	kit.Must(t, err)
	var pipeline struct{ Deploy written }
	kit.Must(t, yaml.Unmarshal(text, &pipeline))
	return pipeline.Deploy.Script
}

// shop returns a job of the demo's pipeline.
func (h host) shop(tenant string, script ...string) coordinator.Job {
	job := h.job(tenant, script...)
	job.Project, job.Protected = coordinator.Project{ID: 42, Path: "acme/shop"}, true
	job.Variables = append(job.Variables, coordinator.Variable{Key: "S3_URL", Value: h.recorder.URL(), Public: true})
	job.AfterScript = []string{"echo these are the jobs of $(id -un)"}
	job.Artifacts = []coordinator.Artifact{{Untracked: true}}
	return job
}

// TestByHand sets up a fresh Debian by the letter of docs/install.md. Its check finds nothing to
// fix, and the demo's jobs of two tenants succeed, each as its own user. Then mistakes
// are planted, one after the other, and jobs run as users who are not fit for it.
func TestByHand(t *testing.T) { //nolint:tparallel // one host
	t.Parallel()
	h := newHost(t)
	last := h.setUp(t)
	if !strings.Contains(last, "\n0 to fix, ") {
		t.Fatalf("the last step of the page finds something to fix:\n%s", last)
	}
	if out := h.sh(t, "systemd-analyze verify --man=no gitlab-runner.service run-rolecall.mount rolecall-sweep.service rolecall-sweep.timer rolecall-revoke.service"); out != "" {
		t.Errorf("systemd complains of the units:\n%s", out)
	}
	h.runDemo(t)
	if out := h.sh(t, checkHost); !strings.Contains(out, "\n0 to fix, ") {
		t.Errorf("after jobs there is something to fix:\n%s", out)
	}
	h.checkStop(t)
	h.checkRevocation(t)
	for _, m := range append(mistakes(), containerMistakes()...) {
		t.Run(m.name, func(t *testing.T) { h.checkMistake(t, m) })
	}
	t.Run("odd users", h.checkUsers)
}

// setUp does what docs/install.md says, and returns what the last step prints.
func (h host) setUp(t *testing.T) string {
	t.Helper()
	last := ""
	document.Run(t, "docs/install.md", "By hand", func(s document.Step) { last = h.do(t, s) })
	return last
}

// runDemo runs the demo's two jobs at once.
func (h host) runDemo(t *testing.T) {
	t.Helper()
	runs := map[string]*coordinator.Run{}
	for _, tenant := range []string{"alpha", "beta"} {
		runs[tenant] = h.enqueue(sharedToken, h.shop(tenant, demoScript(t)...))
	}
	for tenant, run := range runs {
		if result := wait(t, run); result.State != "success" {
			t.Fatalf("%s: %+v; log:\n%s\n%s", tenant, result, run.Text(), h.sh(t, "journalctl --no-pager -u gitlab-runner | tail -50"))
		}
		contains(t, run.Text(), "deployed by "+tenant, "AccessDenied", "these are the jobs of ci-"+tenant)
		checkUploads(t, run, h.recorder.Secrets())
		if len(run.Artifacts()) == 0 {
			t.Errorf("%s has uploaded no artifact", tenant)
		}
	}
	if left := h.sh(t, "ls /run/rolecall /run/gitlab-runner-tmp"); regexp.MustCompile(`(?m)^\d+$|executor`).MatchString(left) {
		t.Errorf("files of jobs are left:\n%s", left)
	}
}

// checkStop stops the service while a job runs: the job ends first, and its credentials
// are removed. Then the service starts again.
func (h host) checkStop(t *testing.T) {
	t.Helper()
	run := h.enqueue(sharedToken, h.shop("alpha", "echo it has begun", "sleep 3", "echo it has ended"))
	kit.Await(t, "the job's script runs", func() bool { return strings.Contains(run.Text(), "\nit has begun") })
	h.sh(t, "systemctl stop gitlab-runner")
	if result := wait(t, run); result.State != "success" {
		t.Errorf("a job during a stop of the service: %+v; log:\n%s", result, run.Text())
	}
	if state, _ := h.Run(t.Context(), "systemctl is-failed gitlab-runner"); strings.TrimSpace(state) != "inactive" {
		t.Errorf("the service that was stopped is %s", state)
	}
	h.sh(t, "systemctl start gitlab-runner")
}
