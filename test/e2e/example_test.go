package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// exampleConfig returns runner-config.toml.example with its server, folders and
// programs replaced by those of this test.
func exampleConfig(t *testing.T, url, dir string) string {
	t.Helper()
	programs, err := lab.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Dir(filepath.Dir(programs.Run))
	content, err := os.ReadFile(filepath.Join(root, "runner-config.toml.example"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		"https://gitlab.example.com", url,
		"/var/lib/gitlab-runner", dir,
		"/usr/libexec/rolecall", filepath.Dir(programs.Run),
	).Replace(string(content))
	path := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExampleConfig starts the real runner with the example that the project
// ships and runs a job on each of its runners.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	gitlab := startGitLab(t)
	config := exampleConfig(t, gitlab.URL(), t.TempDir())
	programs, err := lab.Parts()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), programs.GitLabRunner, "run", "--config", config)
	var log strings.Builder
	command.Stdout, command.Stderr = &log, &log
	command.Env = []string{"HOME=" + t.TempDir(), "PATH=" + filepath.Dir(programs.GitLabRunner) + ":" + os.Getenv("PATH")}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	shared := gitlab.Enqueue("glrt-REPLACE-ME-2", coordinator.Job{Script: []string{"echo shared is here"}})
	pinned := gitlab.Enqueue("glrt-REPLACE-ME-1", coordinator.Job{Script: []string{"echo never"}})
	if result := wait(t, shared); result.State != "success" {
		t.Errorf("%+v; log:\n%s", result, shared.Text())
	}
	if result := wait(t, pinned); result.FailureReason != "script_failure" {
		t.Errorf("%+v; log:\n%s", result, pinned.Text())
	}
	contains(t, shared.Text(), "Using Custom executor with driver rolecall", "shared is here")
	contains(t, pinned.Text(), `tenant "alpha": the job has no variable ROLE_ARN`)
	_ = command.Process.Signal(os.Interrupt)
	_ = command.Wait()
	if found := regexp.MustCompile(`(?i)(unknown|unsupported|deprecated|invalid).*`).FindString(log.String()); found != "" {
		t.Errorf("the runner complains: %s", found)
	}
}
