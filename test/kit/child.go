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

// IsChild says whether this process was started by Child for this very test.
func IsChild(t testing.TB) bool {
	t.Helper()
	return os.Getenv(childTest) == t.Name()
}

// Child returns a command that runs this test in a process with those attributes,
// which may be nil. Beside the environment of this process it has environ. The
// process of another user has a binary and a TMPDIR that every user can use.
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

// InChild runs the test in a Child, since what it does is process-wide, and returns
// true in that child. In the parent it returns false, and the test has failed unless
// it passed in the child; a test that is skipped there has not passed.
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

// InMounts is InChild with mounts of its own, which the host does not see. It needs
// root; why is that of NeedRoot.
func InMounts(t testing.TB, why string) bool {
	t.Helper()
	NeedRoot(t, why)
	return InChild(t, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS})
}

// Mount makes dir a tmpfs of mode 0700 until the test ends: only in a child of
// InMounts. Options are those of tmpfs(5), such as "size=8k"; flags those of
// mount(2).
func Mount(t testing.TB, dir, options string, flags uintptr) {
	t.Helper()
	Must(t, os.MkdirAll(dir, 0o700))
	Must(t, syscall.Mount("tmpfs", dir, "tmpfs", flags, "mode=0700,"+options))
	t.Cleanup(func() { Must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
}
