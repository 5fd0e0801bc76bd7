package podman_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/backend/podman"
	"rolecall/test/kit"
)

// TestGiven: podman tries the file system of the images in the first job of a store. Later
// jobs are given what it has found out, as files of their own.
func TestGiven(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what podman has found out") {
		return
	}
	first := built(t, unique(4796), nil)
	file := filepath.Join(first.dir, "images/alpha/protected.features")
	text, err := os.ReadFile(file)
	kit.Must(t, err)
	if !strings.Contains(string(text), `"overlay-true"`) {
		t.Fatalf("found is %s", text)
	}
	kit.Must(t, os.WriteFile(file, []byte(strings.Replace(string(text), `"overlay-true"`, `"overlay-true","mark-true"`, 1)), 0o600))
	second := newJobIn(t, first.dir, unique(4797), nil)
	kit.Must(t, second.build())
	t.Cleanup(func() { _ = second.reap() })
	info, err := os.Stat(filepath.Join(podman.DirOf(second.data), "run/root/overlay/mark-true"))
	kit.Must(t, err)
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != 65534 || info.Mode() != 0o600 {
		t.Errorf("the file is %v of user %d", info.Mode(), stat.Uid)
	}
	if o := second.run("build_script", "echo x > /root/file; exit 7", nil); o.Code != 7 {
		t.Errorf("%+v", o)
	}
}
