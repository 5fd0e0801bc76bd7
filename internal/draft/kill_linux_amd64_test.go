package draft_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rolecall/test/kit"
)

// The file that the child writes, and whether it replaces one.
const (
	killedPath    = "DRAFT_PATH"
	killedReplace = "DRAFT_REPLACE"
)

// TestKilled: a process is killed before each system call by which it writes a file. The file is then the old
// or the new one. Nothing is beside it, or only the whole draft of a Replace, which the next one takes away.
func TestKilled(t *testing.T) {
	if path := os.Getenv(killedPath); path != "" {
		kit.Traced(t)
		kit.Must(t, write(path, "new", os.Getenv(killedReplace) != ""))
		return
	}
	binary := kit.Executable(t)
	for _, replace := range []string{"", "replace"} {
		t.Run("way"+replace, func(t *testing.T) {
			t.Setenv(killedReplace, replace)
			points := 0
			for killedAt(t, binary, replace != "", points+1) && !t.Failed() {
				points++
			}
			if t.Logf("killed at %d points", points); points < 5 {
				t.Errorf("%d points", points)
			}
		})
	}
}

// killedAt kills the writer before its n-th change, and returns whether there are so many.
func killedAt(t *testing.T, binary string, replace bool, n int) bool {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	t.Setenv(killedPath, path)
	if replace {
		kit.Must(t, os.WriteFile(path, []byte("old"), 0o600))
	}
	struck := kit.StrikeBefore(t, binary, n, func(child int) { kit.Must(t, syscall.Kill(child, syscall.SIGKILL)) })
	content, err := os.ReadFile(path)
	if text := string(content); replace && text != "old" && text != "new" || !replace && text != "" && text != "new" {
		t.Errorf("point %d: it has %q, %v", n, text, err)
	}
	spare, err := os.ReadFile(filepath.Join(filepath.Dir(path), ".file.new"))
	if entries, _ := os.ReadDir(filepath.Dir(path)); err == nil && (!replace || string(spare) != "new") || err != nil && len(entries) > 1 {
		t.Errorf("point %d: left %v, the draft has %q", n, entries, spare)
	}
	kit.Must(t, write(path, "again", true))
	check(t, path, "again")
	return struck
}
