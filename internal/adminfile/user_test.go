package adminfile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/adminfile"
)

// TestAsUser: for a process that is not root, its own files and root's are the
// admin's; what it may not read, it says.
func TestAsUser(t *testing.T) {
	const child = "ADMINFILE_TEST_CHILD"
	if dir := os.Getenv(child); dir != "" {
		accepted(t, dir+"/own")
		accepted(t, dir+"/roots")
		refused(t, dir+"/another", "belongs to user 4712")
		if _, err := adminfile.Read(dir+"/closed", 99); err == nil || !strings.Contains(err.Error(), "permission denied; let user 4711 read it") {
			t.Errorf("a file that may not be read: %v", err)
		}
		return
	}
	needRoot(t)
	dir, err := os.MkdirTemp("/tmp", "adminfile") //nolint:usetesting // t.TempDir is closed to others
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	for name, file := range map[string]struct {
		mode os.FileMode
		uid  int
	}{"own": {0o600, stranger}, "roots": {0o644, 0}, "another": {0o644, stranger + 1}, "closed": {0o600, 0}} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(good), file.mode))
		must(t, os.Chown(filepath.Join(dir, name), file.uid, file.uid))
	}
	self, err := os.ReadFile("/proc/self/exe")
	must(t, err)
	must(t, os.WriteFile(dir+"/test", self, 0o755))
	must(t, os.Chmod(dir+"/test", 0o755))
	command := exec.Command(dir+"/test", "-test.run=^"+t.Name()+"$", "-test.v")
	command.Dir = "/"
	command.Env = append(os.Environ(), child+"="+dir, "GORACE=atexit_sleep_ms=0")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
}
