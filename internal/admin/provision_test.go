package admin_test

import (
	"encoding/json"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// TestProvision: with --dry-run the commands are printed, and none is run.
func TestProvision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	builds := filepath.Join(w.dir, "new", "builds")
	w.policy = strings.Replace(w.policy, "run_as_root", "run_as = \"ci-nobody-has\"\nbuilds_dir = \""+builds+"\"\ncache_dir = \""+w.dir+"\"\nrun_as_root", 1)
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	got := run("", "provision", "--dry-run", "--config", policy)
	want := "useradd --system --create-home --skel /dev/null --shell /usr/sbin/nologin ci-nobody-has\nmkdir -m 0711 -- " + filepath.Dir(builds) + "\nmkdir -m 0711 -- " + builds + "\n"
	if got.code != 0 || got.out != want || got.errors != "" {
		t.Errorf("exit code %d:\n%s%s\nwant\n%s", got.code, got.out, got.errors, want)
	}
	if _, err := os.Stat(filepath.Dir(builds)); err == nil {
		t.Error("a folder was made")
	}
	if _, err := user.Lookup("ci-nobody-has"); err == nil {
		t.Error("a user was made")
	}
	got = run("", "provision", "--dry-run", "--json", "--config", policy)
	var result struct {
		Steps    []struct{ Command []string }
		Warnings []string
		DryRun   bool `json:"dry_run"`
	}
	if err := json.Unmarshal([]byte(got.out), &result); err != nil || len(result.Steps) != 3 || len(result.Steps[0].Command) != 8 || result.Warnings == nil || !result.DryRun {
		t.Errorf("%v: %s", err, got.out)
	}
}

// TestProvisionAgain: a host that has everything is told so, and a broken policy file is an
// error, before anything is made.
func TestProvisionAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := w.write(t, "rolecall.toml", []byte(strings.Replace(w.policy, "[gitlab]", "home_skeleton = \"/none/skeleton\"\nbuilds_dir = \""+w.dir+"\"\n[gitlab]", 1)))
	got := run("", "provision", "--config", policy)
	if got.code != 0 || !strings.HasPrefix(got.out, "# nothing to do") || !strings.Contains(got.errors, "rolecall: warning: home_skeleton: there is no folder /none/skeleton") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
	for want, content := range map[string]string{"rolecall.toml:1: ": "[", "a link to nothing": strings.Replace(w.policy, "[gitlab]", "builds_dir = \""+w.dir+"/link\"\n[gitlab]", 1)} {
		_ = os.Symlink("nothing", filepath.Join(w.dir, "link"))
		got := run("", "provision", "--config", w.write(t, "rolecall.toml", []byte(content)))
		if got.code != 1 || got.out != "" || !strings.Contains(got.errors, want) {
			t.Errorf("exit code %d, want %q:\n%s%s", got.code, want, got.out, got.errors)
		}
	}
}
