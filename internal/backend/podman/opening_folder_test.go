package podman

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/test/kit"
)

// TestOpeningFolder: a file of a credential may lie in a folder of its own, which a container has not
// got yet.
func TestOpeningFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "a folder's", "config.json")
	kit.Must(t, os.Mkdir(filepath.Dir(file), 0o700))
	kit.Must(t, os.WriteFile(file, []byte("what's in it\n"), 0o600))
	text, err := opening(dir+"/sign", backend.Script{Files: []string{file}}, backend.Limits{})
	kit.Must(t, err)
	for _, there := range []bool{true, false} {
		if !there {
			kit.Must(t, os.RemoveAll(filepath.Dir(file)))
		}
		sh := exec.CommandContext(t.Context(), "sh")
		sh.Stdin = strings.NewReader(text + "cat '" + dir + `/a folder'\''s/config.json'`)
		if out, err := sh.CombinedOutput(); err != nil || string(out) != "what's in it\n" {
			t.Errorf("%v: %q, %v", there, out, err)
		}
		if info, err := os.Stat(filepath.Dir(file)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v: %v, %v", there, info.Mode(), err)
		}
	}
}
