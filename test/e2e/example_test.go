package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// example writes an example file of the project to dir, with texts replaced: an old one,
// its new one, and so on. Each old one must be there.
func example(t *testing.T, name, dir string, texts ...string) string {
	t.Helper()
	programs, err := lab.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(filepath.Dir(programs.Run), "..", name+".example"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(texts); i += 2 {
		if !strings.Contains(string(content), texts[i]) {
			t.Fatalf("no %q in %s.example", texts[i], name)
		}
	}
	path := filepath.Join(dir, name)
	text := strings.NewReplacer(append(texts, "/usr/libexec/rolecall", filepath.Dir(programs.Run))...).Replace(string(content))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// exampleConfig returns the two example files with their server, folders, users and
// programs replaced by those of this test.
func exampleConfig(t *testing.T, gitlab *coordinator.Server, dir string) string {
	t.Helper()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	credentials := "/dev/shm/" + filepath.Base(filepath.Dir(dir))
	t.Cleanup(func() { _ = os.RemoveAll(credentials) })
	policy := example(t, "rolecall.toml", dir, "/var/lib/rolecall", dir, `issuer = "https://gitlab.example.com"`, fmt.Sprintf("issuer = %q", gitlab.Issuer()),
		"/run/rolecall", credentials, "ci-alpha", alphaUser, "ci-beta", betaUser, "ci-none", noUser)
	config := example(t, "runner-config.toml", dir, "https://gitlab.example.com", gitlab.URL())
	content, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	// A test has no file at the default path.
	text := strings.ReplaceAll(string(content), `_args = [`, fmt.Sprintf(`_args = ["--config", %q, `, policy))
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		last := strings.LastIndex(text, "    "+stage+"_exec =")
		text = text[:last] + fmt.Sprintf("    %s_args = [\"--config\", %q]\n", stage, policy) + text[last:]
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return config
}

// TestExampleConfig starts the real runner with the examples that the project
// ships and runs a job on each of its runners.
func TestExampleConfig(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "the examples, whose jobs run as other users")
	gitlab := startGitLab(t)
	config := exampleConfig(t, gitlab, t.TempDir())
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
	shared := gitlab.Enqueue("glrt-REPLACE-ME-2", coordinator.Job{Script: []string{"echo shared is here as $(id -un)"}})
	pinned := gitlab.Enqueue("glrt-REPLACE-ME-1", coordinator.Job{Script: []string{"echo never"}})
	if result := wait(t, shared); result.State != "success" {
		t.Errorf("%+v; log:\n%s", result, shared.Text())
	}
	if result := wait(t, pinned); result.FailureReason != "script_failure" {
		t.Errorf("%+v; log:\n%s", result, pinned.Text())
	}
	contains(t, shared.Text(), "Using Custom executor with driver rolecall", "shared is here as "+noUser)
	contains(t, pinned.Text(), `tenant "alpha": the job has no ID token in GITLAB_OIDC_TOKEN`)
	_ = command.Process.Signal(os.Interrupt)
	_ = command.Wait()
	if found := regexp.MustCompile(`(?i)(unknown|unsupported|deprecated|invalid).*`).FindString(log.String()); found != "" {
		t.Errorf("the runner complains: %s", found)
	}
}
