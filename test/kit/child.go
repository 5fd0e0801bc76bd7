package kit

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// childTest names the variable that says which test runs in a child process.
const childTest = "ROLECALL_TEST_CHILD"

// IsChild reports whether this process was started by Child for this test.
func IsChild(t testing.TB) bool {
	t.Helper()
	return os.Getenv(childTest) == t.Name()
}

// Child returns a command that runs this test in another process with these attributes,
// which may be nil. Its environment is this process's and environ. If the process has
// another user, it gets a binary and a TMPDIR that every user can use.
func Child(t testing.TB, attributes *syscall.SysProcAttr, environ ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	Must(t, err)
	environ = append(environ, childTest+"="+t.Name(), "GORACE=atexit_sleep_ms=0") // the race detector would wait a second
	if attributes != nil && attributes.Credential != nil {
		self = Executable(t)
		environ = append(environ, "TMPDIR="+OpenDir(t))
	}
	child := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	child.Dir, child.Env, child.SysProcAttr = "/", append(os.Environ(), environ...), attributes
	return child
}

// InChild runs the test in a Child, for tests that change their process, and returns
// true in the child. In the parent it returns false, and fails the test unless it has
// passed in the child. A test that is skipped in the child has not passed.
func InChild(t testing.TB, attributes *syscall.SysProcAttr, environ ...string) bool {
	t.Helper()
	if IsChild(t) {
		return true
	}
	out, err := Child(t, attributes, environ...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		t.Errorf("in a child process: %v\n%s", err, out)
	}
	return false
}

// InMounts is InChild in a new mount namespace, whose mounts the host does not see. It
// needs root; why is as for NeedRoot.
func InMounts(t testing.TB, why string) bool {
	t.Helper()
	NeedRoot(t, why)
	return InChild(t, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS})
}

// Mount mounts a tmpfs with mode 0700 at dir until the test ends. Call it only in a
// child of InMounts. Options are those of tmpfs(5), such as "size=8k"; flags are those
// of mount(2).
func Mount(t testing.TB, dir, options string, flags uintptr) {
	t.Helper()
	Must(t, os.MkdirAll(dir, 0o700))
	Must(t, syscall.Mount("tmpfs", dir, "tmpfs", flags, "mode=0700,"+options))
	t.Cleanup(func() { Must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
}
