// Package kit is what the tests of several packages need: to stop where their own
// preparations fail, to run in a process with other rights or mounts, and to find
// processes by their environment.
package kit

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// patience is how long Await waits.
const patience = 20 * time.Second

// Must stops a test whose own preparations fail.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// NeedRoot skips a test that needs root. Why says what is not tested then, such as
// "files of other users".
func NeedRoot(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skipf("NOT TESTED, run as root: %s", why)
	}
}

// NeedProgram skips a test that needs a program of a package of Debian.
func NeedProgram(t testing.TB, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("NOT TESTED, install the package %s: %v", pkg, err)
	}
}

// Await waits until so returns true, for at most 20 seconds. What describes the
// condition in the error.
func Await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %v: %s", patience, what)
		}
	}
}

// OpenDir returns a temporary folder that every user can use. t.TempDir is closed
// to others.
func OpenDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "rolecall-test") //nolint:usetesting // t.TempDir is closed to others
	Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	Must(t, os.Chmod(dir, 0o777))
	return dir
}

// Executable returns the path of a copy of the test binary that every user can run.
// Only the user of go test can run the original.
func Executable(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	Must(t, err)
	content, err := os.ReadFile(self)
	Must(t, err)
	path := filepath.Join(OpenDir(t), filepath.Base(self))
	syscall.ForkLock.RLock() // a child that another test starts meanwhile would keep the file open for writing, and busy
	defer syscall.ForkLock.RUnlock()
	Must(t, os.WriteFile(path, content, 0o755))
	Must(t, os.Chmod(path, 0o755))
	return path
}
