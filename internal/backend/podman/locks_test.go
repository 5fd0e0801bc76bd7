package podman_test

import (
	"os"
	"path/filepath"
	"testing"

	"rolecall/test/kit"
)

// TestLocks: containers of a job leave no lock of podman's behind. There are 2048 of them
// for a user, and nobody would ever free one.
func TestLocks(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	const shared = "/dev/shm"
	kit.Mount(t, shared, "mode=1777", 0)
	kit.Must(t, os.Chmod(shared, 0o1777))
	p := built(t, unique(4795), nil)
	if o := p.run("build_script", "exit 7", nil); o.Code != 7 {
		t.Errorf("%+v", o)
	}
	kit.Must(t, p.reap())
	if left, err := filepath.Glob(shared + "/*"); err != nil || len(left) > 0 {
		t.Errorf("left are %q, %v", left, err)
	}
}
