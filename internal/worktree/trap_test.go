package worktree_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rolecall/internal/worktree"
	"rolecall/test/kit"
)

// plantTraps makes FIFOs, and links to them, in folders that are closed to the user.
func plantTraps(t *testing.T, dir string) {
	t.Helper()
	kit.Must(t, errors.Join(os.MkdirAll(filepath.Join(dir, "p/.git/refs"), 0o700), syscall.Mkfifo(filepath.Join(dir, "aside"), 0o600)))
	for _, name := range []string{"fifo", ".git/HEAD", ".git/refs/closed"} {
		kit.Must(t, syscall.Mkfifo(filepath.Join(dir, "p", name), 0))
	}
	for name, target := range map[string]string{
		"near": "fifo", "far": filepath.Join(dir, "aside"), "twice": "far", ".git/config": "../../aside", // traps
		"stdout": "/dev/stdout", "fd": "/proc/self/fd/1", "null": "/dev/null", "file": "/etc/passwd", "none": "none", "loop": "loop", "git": ".git",
	} {
		kit.Must(t, os.Symlink(target, filepath.Join(dir, "p", name)))
	}
	kit.Must(t, errors.Join(os.WriteFile(filepath.Join(dir, "p/.git/index"), nil, 0), os.Chmod(filepath.Join(dir, "p/.git/refs"), 0)))
}

// TestTraps: FIFOs in the tree and links to FIFOs are gone, also in folders that a job has
// closed. All else stays, and so does a FIFO outside of the tree.
func TestTraps(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user who has no rights of root")
	}
	if !kit.InChild(t, asUser()) {
		return
	}
	dir := t.TempDir()
	plantTraps(t, dir)
	done, err := worktree.Open(t.Context(), filepath.Join(dir, "p"))
	if want := (worktree.Done{Opened: 1, Traps: 7}); done != want || err != nil {
		t.Errorf("%+v, %v, want %+v", done, err, want)
	}
	for _, name := range []string{"stdout", "fd", "null", "file", "none", "loop", "git", ".git/index", "../aside"} {
		if _, err := os.Lstat(filepath.Join(dir, "p", name)); err != nil {
			t.Error(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "p")); err != nil || len(entries) != 8 { // and .git
		t.Errorf("left are %v, %v", entries, err)
	}
	if done, err := worktree.Open(t.Context(), filepath.Join(dir, "p")); done != (worktree.Done{}) || err != nil {
		t.Errorf("a second time: %+v, %v", done, err)
	}
}
