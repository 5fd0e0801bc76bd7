package admin_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/test/kit"
)

// pruneIn calls rolecall prune with the policy of a world whose images are in its folder.
func (w *world) pruneIn(t *testing.T, args ...string) result {
	t.Helper()
	policy := strings.Replace(w.policy, `engine = "podman"`, "engine = \"podman\"\nimages_dir = \""+w.dir+"/images\"", 1)
	return run("", append([]string{"prune", "--config", w.write(t, "rolecall.toml", []byte(policy))}, args...)...)
}

// TestPruneArguments: what does not say what to remove, or says it wrongly, is refused.
func TestPruneArguments(t *testing.T) {
	t.Parallel()
	w := containers(t)
	for args, says := range map[string]string{
		"":                             "rolecall: say what to remove: --older-than, --max-bytes or --gone; with --dry-run nothing is removed\n",
		"--dry-run":                    "say what to remove",
		"--older-than 0s":              "want a duration above 0, such as 168h",
		"--older-than 7":               "want a duration above 0",
		"--max-bytes 0":                "want a number of bytes above 0, such as 20GiB, 500MiB or 1000000",
		"--max-bytes 20GB":             "want a number of bytes",
		"--max-bytes -1GiB":            "want a number of bytes",
		"--max-bytes 8796093022208TiB": "want a number of bytes",
		"--max-bytes 1.5GiB":           "want a number of bytes",
		"--gone x":                     `unknown argument "x"`,
	} {
		if got := w.pruneIn(t, strings.Fields(args)...); got.code != 2 || got.out != "" || !strings.Contains(got.errors, says) {
			t.Errorf("prune %s: %+v, want %q", args, got, says)
		}
	}
	if got := newWorld(t).pruneIn(t, "--gone"); got.code != 1 || !strings.Contains(got.errors, `rolecall prune needs engine = "podman" in [containers]`) {
		t.Errorf("without containers: %+v", got)
	}
	if got := run("", "prune", "--gone", "--config", w.dir+"/none.toml"); got.code != 1 || !strings.Contains(got.errors, "none.toml: no such file") {
		t.Errorf("without a policy file: %+v", got)
	}
}

// TestPruneNothing: where there are no images, nothing is removed.
func TestPruneNothing(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "images, which only root can remove")
	w := containers(t)
	for args, want := range map[string]string{
		"--older-than 168h":           "removed 0 images of 0 stores, 0 B\n",
		"--max-bytes 20GiB --dry-run": "would remove 0 images of 0 stores, 0 B\n",
		"--gone --json":               "[]\n",
	} {
		if got := w.pruneIn(t, strings.Fields(args)...); got.code != 0 || got.out != want || got.errors != "" {
			t.Errorf("prune %s: %+v, want %q", args, got, want)
		}
	}
}

// TestPruneBroken: what cannot be looked at is an error that says what it is.
func TestPruneBroken(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "images, which only root can remove")
	w := containers(t)
	store := filepath.Join(w.dir, "images/alpha/protected")
	kit.Must(t, os.MkdirAll(filepath.Dir(store), 0o700))
	kit.Must(t, os.WriteFile(store+".lock", nil, 0o600))
	kit.Must(t, os.WriteFile(store, nil, 0o600))
	if got := w.pruneIn(t, "--older-than", "1h"); got.code != 1 || !strings.Contains(got.errors, "rolecall: error: the store of images of alpha/protected: it cannot be read: ") {
		t.Errorf("%+v", got)
	}
	kit.Must(t, os.Remove(store))
	kit.Must(t, os.Mkdir(store, 0o700))
	kit.Must(t, os.WriteFile(store+"/overlay", nil, 0o600))
	if got := w.pruneIn(t, "--older-than", "1h"); got.code != 1 || !strings.Contains(got.errors, "rolecall: error: the store of images of alpha/protected: it cannot be measured: ") {
		t.Errorf("%+v", got)
	}
}

// TestPruneNotRoot: who is not root is told so.
func TestPruneNotRoot(t *testing.T) {
	const nobody = 65534
	if os.Geteuid() == 0 && !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}) {
		return
	}
	t.Setenv("TMPDIR", "/tmp") // that of a child is open to all, and no place for a policy file
	if got := containers(t).pruneIn(t, "--gone"); got.code != 1 || !strings.Contains(got.errors, "only root can remove images: run rolecall prune as root") {
		t.Errorf("%+v", got)
	}
}
