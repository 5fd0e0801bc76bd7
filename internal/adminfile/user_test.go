package adminfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/adminfile"
	"rolecall/test/kit"
)

// TestAsUser: a process that is not root accepts its own files and root's, and says
// which files it may not read.
func TestAsUser(t *testing.T) {
	const folder = "ADMINFILE_TEST_DIR"
	if kit.IsChild(t) {
		dir := os.Getenv(folder)
		accepted(t, dir+"/own")
		accepted(t, dir+"/roots")
		refused(t, dir+"/another", "belongs to user 4712")
		if _, err := adminfile.Read(dir+"/closed", 99); err == nil || !strings.Contains(err.Error(), "permission denied; let user 4711 read it") {
			t.Errorf("a file that may not be read: %v", err)
		}
		return
	}
	kit.NeedRoot(t, "files of other users")
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o755))
	for name, file := range map[string]struct {
		mode os.FileMode
		uid  int
	}{"own": {0o600, stranger}, "roots": {0o644, 0}, "another": {0o644, stranger + 1}, "closed": {0o600, 0}} {
		kit.Must(t, os.WriteFile(filepath.Join(dir, name), []byte(good), file.mode))
		kit.Must(t, os.Chown(filepath.Join(dir, name), file.uid, file.uid))
	}
	kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}, folder+"="+dir)
}
