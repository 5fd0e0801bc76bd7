package worktree_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/worktree"
	"rolecall/test/kit"
)

// plants put something else in the place of a folder.
func plants(target string) map[string]func(path string) error {
	return map[string]func(path string) error{
		"a file":              func(path string) error { return os.WriteFile(path, []byte("x"), 0o400) },
		"a FIFO":              func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a link to a folder":  func(path string) error { return os.Symlink(target, path) },
		"a link to nothing":   func(path string) error { return os.Symlink("none", path) },
		"a link to itself":    func(path string) error { return os.Symlink(filepath.Base(path), path) },
		"a link to the roots": func(path string) error { return os.Symlink("/root", path) },
	}
}

// TestClear: whatever a job has put in the place of the folders of the next one, or of the
// folders on the way there, is gone, and the folders can be made. What a link leads to stays.
func TestClear(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user who has no rights of root")
	}
	if !kit.InChild(t, asUser()) {
		return
	}
	for _, place := range []string{"slot", "slot/group", "slot/group/p", "slot/group/p.tmp"} {
		target := t.TempDir()
		kit.Must(t, os.WriteFile(filepath.Join(target, "file"), nil, 0o600))
		for name, plant := range plants(target) {
			dir := t.TempDir()
			project, path := filepath.Join(dir, "slot/group/p"), filepath.Join(dir, place)
			kit.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
			kit.Must(t, plant(path))
			want := []string{path}
			if name == "a link to a folder" && !strings.HasPrefix(place, "slot/group/p") {
				want = nil // an admin may have put it
			}
			cleared, err := worktree.Clear(t.Context(), project)
			if err != nil || !slices.Equal(cleared, want) {
				t.Errorf("%s at %s: cleared %q, %v, want %q", name, place, cleared, err, want)
			}
			if err := errors.Join(os.MkdirAll(project, 0o700), os.MkdirAll(project+".tmp", 0o700)); err != nil {
				t.Errorf("%s at %s: %v", name, place, err)
			}
		}
		if _, err := os.Stat(filepath.Join(target, "file")); err != nil {
			t.Errorf("at %s: %v", place, err)
		}
	}
}

// TestClearTemp: the temporary folder is empty, but for what the driver has made, and open.
func TestClearTemp(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user who has no rights of root")
	}
	if !kit.InChild(t, asUser()) {
		return
	}
	dir, target := t.TempDir(), t.TempDir()
	project := filepath.Join(dir, "p")
	kit.Must(t, os.WriteFile(filepath.Join(target, "file"), nil, 0o600))
	kit.Must(t, os.MkdirAll(project+".tmp/FILE_VARIABLE/deep/er", 0o700))
	kit.Must(t, os.MkdirAll(project+".tmp/rolecall-7", 0o700))
	kit.Must(t, os.WriteFile(project+".tmp/rolecall-7/x", nil, 0o600))
	kit.Must(t, os.WriteFile(project+".tmp/FILE_VARIABLE/deep/er/file", nil, 0))
	kit.Must(t, os.Mkdir(project, 0o700))
	kit.Must(t, os.WriteFile(project+"/file", nil, 0o600))
	for name, plant := range plants(target) {
		kit.Must(t, plant(filepath.Join(project+".tmp", name)))
	}
	for _, closed := range []string{".tmp/FILE_VARIABLE/deep", ".tmp/FILE_VARIABLE", ".tmp"} {
		kit.Must(t, os.Chmod(project+closed, 0))
	}
	if cleared, err := worktree.Clear(t.Context(), project); err != nil || len(cleared) > 0 {
		t.Errorf("cleared %q, %v", cleared, err)
	}
	left, err := filepath.Glob(project + ".tmp/*")
	if err != nil || fmt.Sprint(left) != fmt.Sprint([]string{project + ".tmp/rolecall-7"}) {
		t.Errorf("left %q, %v", left, err)
	}
	for _, path := range []string{project + "/file", project + ".tmp/rolecall-7/x", target + "/file"} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("late")
	cancel(late)
	kit.Must(t, os.Mkdir(project+".tmp/more", 0o700))
	if _, err := worktree.Clear(ctx, project); !errors.Is(err, late) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// TestClearForeign: a folder of another user, which nobody else can remove, is moved aside.
// In a folder of another user nothing is changed.
func TestClearForeign(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("CLEAR_DIR")
	if dir == "" {
		kit.NeedRoot(t, "a folder of another user")
		base := kit.OpenDir(t)
		dir = filepath.Join(base, "own")
		kit.Must(t, os.MkdirAll(filepath.Join(dir, "p.tmp/full"), 0o700))
		kit.Must(t, os.WriteFile(filepath.Join(base, "p.tmp"), nil, 0o600))
		kit.Must(t, os.Chown(dir, 61931, 61931))
	}
	if !kit.InChild(t, asUser(), "CLEAR_DIR="+dir) {
		return
	}
	cleared, err := worktree.Clear(t.Context(), filepath.Join(dir, "p"))
	if err != nil || !slices.Equal(cleared, []string{filepath.Join(dir, "p.tmp")}) {
		t.Errorf("cleared %q, %v", cleared, err)
	}
	if aside, err := filepath.Glob(filepath.Join(dir, "p.tmp.aside-*")); err != nil || len(aside) != 1 {
		t.Errorf("aside is %q, %v", aside, err)
	}
	if cleared, err := worktree.Clear(t.Context(), filepath.Join(filepath.Dir(dir), "p")); err != nil || len(cleared) > 0 {
		t.Errorf("in a folder of root: cleared %q, %v", cleared, err)
	}
}
