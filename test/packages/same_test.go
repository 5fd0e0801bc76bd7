package packages_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// TestSameBytes makes all packages again, in another folder, as a user with other settings: the
// signature is the same, and so are all files.
//
// https://reproducible-builds.org/docs/definition/
func TestSameBytes(t *testing.T) {
	t.Parallel()
	dir := dist(t, distVariable)
	copied := filepath.Join(t.TempDir(), "another folder")
	script := `umask 077; mkdir -p "$1"; cd ../..; git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -c | tar -C "$1" -x --no-same-permissions`
	output(t, "bash", "-ec", script, "bash", copied)
	build := exec.CommandContext(t.Context(), "sh", "-ec", "umask 077; make packages", "sh")
	build.Dir = copied
	build.Env = append(os.Environ(), "USER=ada", "TZ=Asia/Tokyo", "LC_ALL=C", "HOSTNAME=other",
		"COMMIT="+strings.TrimSpace(output(t, "git", "-C", "../..", "rev-parse", "--short=12", "HEAD")),
		"SOURCE_DATE_EPOCH="+strings.TrimSpace(output(t, "git", "-C", "../..", "log", "-1", "--format=%ct")))
	if name := filepath.Base(one(t, dir, driverDeb)); !strings.Contains(name, "~") { // a release: git says so, and the copy has no git
		build.Env = append(build.Env, "VERSION="+strings.Split(name, "_")[1])
	}
	out, err := build.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "SIGNED BY THE KEY OF TESTS") {
		t.Errorf("nobody is told which key has signed:\n%s", out)
	}
	entries, err := os.ReadDir(dir)
	kit.Must(t, err)
	for _, entry := range entries {
		want, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		kit.Must(t, err)
		got, err := os.ReadFile(filepath.Join(copied, "dist", entry.Name()))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %d and %d bytes differ: %v", entry.Name(), len(want), len(got), err)
		}
	}
	if len(entries) < 14 {
		t.Errorf("%d files are too few", len(entries))
	}
}
