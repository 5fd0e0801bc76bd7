package worktree_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/worktree"
	"rolecall/test/kit"
)

// TestClearDenied: what stands in the place of a folder and cannot be removed is an error that
// names it, and is not told as removed.
func TestClearDenied(t *testing.T) {
	t.Parallel()
	for name, planted := range map[string]string{"project": "a/project", "temp": "a/project.tmp", "way": "a"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.IsChild(t) { // which cannot remove its folders
				path := filepath.Join(t.TempDir(), planted)
				kit.Must(t, errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)))
				kit.InChild(t, nil, "PLANTED="+path, "PROJECT="+strings.TrimSuffix(path, planted)+"a/project")
				return
			}
			kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_UNLINKAT}))
			cleared, err := worktree.Clear(t.Context(), os.Getenv("PROJECT"))
			if want := os.Getenv("PLANTED") + ": "; !errors.Is(err, unix.EIO) || !strings.HasPrefix(err.Error(), want) || len(cleared) > 0 {
				t.Errorf("%q, error %v, want %q", cleared, err, want)
			}
		})
	}
}
