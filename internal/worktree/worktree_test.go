package worktree_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/worktree"
	"rolecall/test/kit"
)

// asUser are the attributes of a process of a user who has no rights of root.
func asUser() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61931, Gid: 61931}}
}

// closeAll makes the folders of a tree, and closes some of them as a job may.
func closeAll(t *testing.T, dir string, names ...string) {
	t.Helper()
	kit.Must(t, os.MkdirAll(filepath.Join(dir, "p/a/b/c"), 0o755))
	kit.Must(t, os.MkdirAll(filepath.Join(dir, "p/d"), 0o755))
	kit.Must(t, os.WriteFile(filepath.Join(dir, "p/a/file"), nil, 0o400))
	for _, name := range names {
		name, mode, _ := strings.Cut(name, "=")
		modes := map[string]os.FileMode{"": 0, "r": 0o500, "x": 0o311, "w": 0o255, "sticky": os.ModeSticky}
		kit.Must(t, os.Chmod(filepath.Join(dir, name), modes[mode]))
	}
}

// TestOpen: whatever folder of its own a user has closed, and in whatever way, the tree can
// be removed afterwards.
func TestOpen(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user who has no rights of root")
	}
	if !kit.InChild(t, asUser()) {
		return
	}
	for _, test := range []struct {
		closed []string
		want   int
	}{
		{nil, 0}, {[]string{"p/d"}, 1}, {[]string{"p/a/b/c=r", "p/a/b=x", "p/a=w"}, 3}, {[]string{"p/a/b/c", "p/a/b", "p/a", "p", ""}, 5}, {[]string{"p/d=sticky"}, 1},
	} {
		dir := filepath.Join(t.TempDir(), "slot")
		kit.Must(t, os.Mkdir(dir, 0o700))
		closeAll(t, dir, test.closed...)
		done, err := worktree.Open(t.Context(), filepath.Join(dir, "p"))
		if want := (worktree.Done{Opened: test.want}); err != nil || done != want {
			t.Errorf("%q: %+v, %v, want %+v", test.closed, done, err, want)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("%q: %v", test.closed, err)
		}
	}
}

// TestOpenLeaves: links are not followed, files stay as they are, and so do folders
// without a tree.
func TestOpenLeaves(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user who has no rights of root")
	}
	if !kit.InChild(t, asUser()) {
		return
	}
	dir := t.TempDir()
	closeAll(t, dir)
	aside := filepath.Join(dir, "aside")
	kit.Must(t, os.Mkdir(aside, 0))
	kit.Must(t, os.Symlink(aside, filepath.Join(dir, "p/link")))
	kit.Must(t, os.Symlink(aside, filepath.Join(dir, "way")))
	for _, path := range []string{"p", "way", "way/x", "none", "p/a/file", "p/a/file/x"} {
		if done, err := worktree.Open(t.Context(), filepath.Join(dir, path)); err != nil || done != (worktree.Done{}) {
			t.Errorf("%s: %+v, %v", path, done, err)
		}
	}
	for path, want := range map[string]os.FileMode{aside: os.ModeDir, filepath.Join(dir, "p/a/file"): 0o400} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s has the mode %v, %v, want %v", path, info.Mode(), err, want)
		}
	}
	if done, err := worktree.Open(t.Context(), "/root"); !errors.Is(err, fs.ErrPermission) || done != (worktree.Done{}) {
		t.Errorf("a folder of root: %+v, %v", done, err)
	}
	kit.Must(t, os.Chmod(aside, 0o700))
}

// TestOpenEnds: the context and the depth bound the walk.
func TestOpenEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	closeAll(t, dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("late")
	cancel(late)
	if _, err := worktree.Open(ctx, dir); !errors.Is(err, late) {
		t.Errorf("error %v, want that of the context", err)
	}
	kit.Must(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("x/", 600)), 0o700))
	if _, err := worktree.Open(t.Context(), dir); !errors.Is(err, worktree.ErrTooDeep) {
		t.Errorf("error %v, want %v", err, worktree.ErrTooDeep)
	}
}
