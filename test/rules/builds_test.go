package rules_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// TestBuildsAreReproducible: make build in two folders, with other names for the user and
// the host's folders, gives one and the same program. Whoever doubts a program can build it.
//
// https://reproducible-builds.org/docs/definition/
func TestBuildsAreReproducible(t *testing.T) {
	t.Parallel()
	first, second := buildIn(t, "a", "USER=ada", "TZ=UTC"), buildIn(t, "another folder/that is deeper", "USER=ben", "TZ=Asia/Tokyo", "LC_ALL=C")
	if len(first) == 0 || !bytes.Equal(first, second) {
		t.Errorf("programs of %d and %d bytes differ", len(first), len(second))
	}
}

// buildIn copies what a program is built from to a folder, makes the program run there,
// and returns it.
func buildIn(t *testing.T, folder string, environ ...string) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), folder)
	for _, name := range []string{"go.mod", "go.sum", "Makefile", "cmd", "internal"} {
		copyTree(t, filepath.Join("../..", name), filepath.Join(dir, name))
	}
	build := exec.CommandContext(t.Context(), "make", "-C", dir, "bin/run")
	build.Env = append(os.Environ(), environ...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make: %v\n%s", err, out)
	}
	content, err := os.ReadFile(filepath.Join(dir, "bin/run"))
	kit.Must(t, err)
	return content
}

// copyTree copies a file, or a folder without its tests.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	kit.Must(t, filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	}))
}
