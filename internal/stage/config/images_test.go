package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/kit"
)

// TestImages: the stage removes what containers of a job without a record have left, and
// tells of what it cannot remove. The job runs in any case.
func TestImages(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	text, err := os.ReadFile(filepath.Join(p.dir, "rolecall.toml"))
	kit.Must(t, err)
	p.write(t, "rolecall.toml", string(text)+"run_as = \"nobody\"\n[containers]\nengine = \"podman\"\nimages_dir = \""+p.dir+"/images\"\n")
	left := filepath.Join(p.dir, "images", ".jobs", "rolecall-7-0123456789abcdef")
	kit.Must(t, os.MkdirAll(left, 0o700))
	kit.Must(t, os.Chtimes(left, time.Time{}, time.Now().Add(-time.Hour)))
	if code, _, stderr := p.serve(nil); code != 0 || stderr != "" {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if _, err := os.Lstat(left); !os.IsNotExist(err) {
		t.Errorf("the folder: %v", err)
	}
	kit.Must(t, os.RemoveAll(filepath.Join(p.dir, "images", ".jobs")))
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, "images", ".jobs"), nil, 0o600))
	if code, _, stderr := p.serve(nil); code != 0 || !strings.Contains(stderr, "what containers of dead jobs left on this host cannot be removed") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
