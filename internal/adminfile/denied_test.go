package adminfile_test

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/test/kit"
)

// TestCannotLook: a file whose owner and mode cannot be read is not root's.
func TestCannotLook(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	p := newTree(t)
	f, err := os.Open(p.file)
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_FSTAT}))
	content, err := adminfile.Read(p.file, 1<<10)
	for name, err := range map[string]error{"Read": err, "Check": adminfile.Check("/"), "CheckFile": adminfile.CheckFile(f)} {
		if !errors.Is(err, unix.EIO) || content != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestBrokenFile: a file that cannot be read is not an empty one.
func TestBrokenFile(t *testing.T) {
	t.Parallel()
	const broken = "/proc/self/mem" // nothing is at address 0
	if content, err := adminfile.Read(broken, 1<<10); content != nil || !errors.Is(err, unix.EIO) {
		t.Errorf("%q, error %v", content, err)
	}
}
