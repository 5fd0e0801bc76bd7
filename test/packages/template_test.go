package packages_test

import (
	"strings"
	"testing"

	"rolecall/test/coordinator"
)

// next returns the commands that rolecall init says come next.
func next(t *testing.T, said string) []string {
	t.Helper()
	_, commands, found := strings.Cut(said, "\nnext:\n")
	if !found {
		t.Fatalf("rolecall init says\n%s", said)
	}
	return strings.Split(strings.TrimSpace(commands), "\n")
}

// TestTemplate sets up a host whose runner has no token yet: rolecall init writes a template, by which
// gitlab-runner register makes the runner. All that init prints is run by its letter. Then nothing is
// to be fixed, and a job of the runner is alpha's.
func TestTemplate(t *testing.T) {
	t.Parallel()
	now := dist(t, distVariable)
	h := boot(t)
	h.startRunner(t)
	h.install(t, one(t, now, driverDeb))
	said := h.sh(t, "rolecall init --gitlab "+h.gitlab.URL()+" --audience "+audience+" --tenant name=alpha,role="+h.minio.RoleARN("alpha")+",project=acme/shop")
	registered, last := false, ""
	for _, command := range next(t, said) {
		registered = registered || strings.Contains(command, " gitlab-runner register ")
		last = h.sh(t, strings.ReplaceAll(command, "glrt-...", token)+" < /dev/null 2>&1 || [ $? = 3 ]") // 3: there is something to look at
	}
	if !registered || !strings.Contains(last, "0 to fix, ") {
		t.Errorf("init says\n%s\nthe last command:\n%s", said, last)
	}
	config := h.sh(t, "cat /etc/gitlab-runner/config.toml")
	for _, want := range []string{`token = "` + token + `"`, `executor = "custom"`, `config_exec = "/usr/libexec/rolecall/config"`, `cleanup_exec = "/usr/libexec/rolecall/cleanup"`, "graceful_kill_timeout = 15", "clean_git_config = true", "cleanup_exec_timeout = 60"} {
		if strings.Count(config, want) != 1 {
			t.Errorf("no %s in config.toml:\n%s", want, config)
		}
	}
	run := h.enqueue(coordinator.Job{Script: []string{`s3job -endpoint "$S3_URL" put alpha first hello || exit 1`, "id -un"}})
	succeeds(t, run)
	if !strings.Contains(run.Text(), "\nci-alpha\n") {
		t.Errorf("the log:\n%s", run.Text())
	}
}
