package workdir_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rolecall/internal/workdir"
	"rolecall/test/kit"
)

// descriptors returns how many descriptors this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	kit.Must(t, err)
	return len(entries)
}

// TestReadOnlyFolder: Make closes a folder whose mode cannot be changed.
func TestReadOnlyFolder(t *testing.T) {
	if !kit.InMounts(t, "a folder on a read-only disk") {
		return
	}
	base := t.TempDir()
	kit.Must(t, os.Mkdir(filepath.Join(base, "alpha"), 0o711))
	kit.Mount(t, filepath.Join(base, "alpha"), "mode=0711", syscall.MS_RDONLY)
	before := descriptors(t)
	for range 3 {
		if err := workdir.Make(base, "alpha/protected", uid, gid); !errors.Is(err, syscall.EROFS) {
			t.Errorf("error %v, want a read-only file system", err)
		}
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}
