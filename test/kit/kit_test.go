package kit_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/test/kit"
)

// nobody is a user who is not root.
const nobody = 65534

// recorder is a test whose failures are recorded.
type recorder struct {
	testing.TB
	says string
}

func (r *recorder) Errorf(format string, args ...any) { r.says += fmt.Sprintf(format, args...) }

func (r *recorder) Fatal(args ...any) { r.says += fmt.Sprint(args...); runtime.Goexit() }

// ofRecorder returns the failures of a test that runs does.
func ofRecorder(t *testing.T, does func(t testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		does(r)
	}()
	<-done
	return r.says
}

func TestMust(t *testing.T) {
	t.Parallel()
	says := ofRecorder(t, func(t testing.TB) {
		kit.Must(t, nil)
		kit.Must(t, os.ErrExist)
		t.Errorf("it went on")
	})
	if says != "file already exists" {
		t.Errorf("Must: %q", says)
	}
}

func TestInChild(t *testing.T) {
	tests := []struct {
		name  string
		does  func(t *testing.T)
		wants string
	}{
		{"passes", func(*testing.T) {}, ""},
		{"fails", func(t *testing.T) { t.Error("it is wrong") }, "it is wrong"},
		{"skips", func(t *testing.T) { t.Skip("no room") }, "no room"},
		{"exits", func(*testing.T) { os.Exit(0) }, "in a child process: "},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if kit.IsChild(t) {
				test.does(t)
				return
			}
			says := ofRecorder(t, func(t testing.TB) {
				if kit.InChild(t, nil) {
					t.Errorf("this is no child")
				}
			})
			if (says == "") != (test.wants == "") || !strings.Contains(says, test.wants) {
				t.Errorf("InChild: %q, want %q", says, test.wants)
			}
		})
	}
}

// TestOtherUser: a child of another user can run, has a folder for its files, and skips
// tests that need root.
func TestOtherUser(t *testing.T) {
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a process of another user")
	}
	if !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}, "MORE=1") {
		return
	}
	if os.Getuid() != nobody || os.Getenv("MORE") != "1" {
		t.Errorf("user %d, MORE=%q", os.Getuid(), os.Getenv("MORE"))
	}
	kit.Must(t, os.WriteFile(filepath.Join(t.TempDir(), "file"), nil, 0o600))
	t.Run("root", func(t *testing.T) {
		kit.NeedRoot(t, "nothing")
		t.Error("NeedRoot lets another user go on")
	})
}

// TestNeedProgram: a test that needs a program that is not there is skipped. It
// runs in a child, whose skipped tests nobody counts.
func TestNeedProgram(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	kit.NeedProgram(t, "go", "golang")
	skipped := false
	t.Run("missing", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		kit.NeedProgram(t, "no-such-program", "nothing")
	})
	if !skipped {
		t.Error("NeedProgram lets a test go on without the program")
	}
}

func TestInMounts(t *testing.T) {
	if kit.InMounts(t, "mounts") {
		dir := filepath.Join(t.TempDir(), "disk")
		kit.Mount(t, dir, "size=8k", 0)
		if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 9<<10), 0o600); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("a file that is larger than its disk: %v", err)
		}
		return
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), "/disk ") {
		t.Errorf("the host has the mount of its child: %v\n%s", err, mounts)
	}
}

func TestMarked(t *testing.T) {
	t.Parallel()
	entry := "KIT_TEST_MARK=" + t.TempDir()
	for _, environ := range []string{entry, entry + "x", "X" + entry} {
		command := exec.Command("sleep", "1000")
		command.Env = []string{"FIRST=1", environ}
		kit.Must(t, command.Start())
		t.Cleanup(func() { _ = command.Process.Kill() })
		go func() { _ = command.Wait() }()
		kit.Await(t, "sleep runs", func() bool { return len(kit.Marked(environ)) == 1 })
	}
	found := kit.Marked(entry)
	if len(found) != 1 || found[0].Command != "sleep 1000 " {
		t.Fatalf("Marked: %v", found)
	}
	kit.KillMarked(entry)
	kit.Await(t, "sleep dies", func() bool { return len(kit.Marked(entry)) == 0 })
	if len(kit.Marked(entry+"x")) != 1 || len(kit.Marked("X"+entry)) != 1 {
		t.Error("a process of another entry is gone")
	}
}

func TestDeny(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	dir := t.TempDir()
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_MKDIRAT}, kit.Call{Number: unix.SYS_OPENAT, Arg: 2, Mask: unix.O_CREAT | unix.O_EXCL, Has: unix.O_CREAT | unix.O_EXCL}))
	for range 20 { // in whatever thread
		if err := os.Mkdir(filepath.Join(dir, "denied"), 0o700); !errors.Is(err, unix.EIO) {
			t.Errorf("a call that is denied: %v", err)
		}
		runtime.Gosched()
	}
	if _, err := os.CreateTemp(dir, ""); !errors.Is(err, unix.EIO) {
		t.Errorf("a call with bits that are denied: %v", err)
	}
	kit.Must(t, os.WriteFile(filepath.Join(dir, "made"), nil, 0o600))
}
