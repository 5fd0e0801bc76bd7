package adminfile_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/test/kit"
)

// TestWithoutProc: a file of the admin's on a host without /proc is refused, and the
// error says what to mount.
func TestWithoutProc(t *testing.T) {
	if !kit.InMounts(t, "a host without /proc") {
		return
	}
	p := newTree(t)
	kit.Mount(t, "/proc", "", 0)
	content, err := adminfile.Read(p.file, 1<<10)
	if want := p.file + " cannot be opened without /proc; mount /proc"; content != nil || err == nil || err.Error() != want {
		t.Errorf("Read = %q, %v, want %q", content, err, want)
	}
}

// TestLeased: a file that another program has leased for writing is not waited for.
func TestLeased(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	f, err := os.OpenFile(p.file, os.O_RDWR, 0)
	kit.Must(t, err)
	defer f.Close()
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("NOT TESTED: the file system of %s has no leases: %v", p.dir, err)
	}
	content, err := adminfile.Read(p.file, 1<<10)
	if want := p.file + ": resource temporarily unavailable"; content != nil || err == nil || err.Error() != want {
		t.Errorf("Read = %q, %v, want %q", content, err, want)
	}
}

// TestUnreadableLink: a link whose text the kernel does not give leads nowhere. The link
// to the program of a process that has died is one.
func TestUnreadableLink(t *testing.T) {
	t.Parallel()
	dead := exec.Command("true")
	kit.Must(t, dead.Start())
	defer func() { kit.Must(t, dead.Wait()) }()
	kit.Must(t, unix.Waitid(unix.P_PID, dead.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	link := fmt.Sprintf("/proc/%d/exe", dead.Process.Pid)
	if err := adminfile.Check(link); err == nil || !strings.HasPrefix(err.Error(), link+": no such file") {
		t.Errorf("Check(%q) = %v", link, err)
	}
}

// TestRoot: the root of the file system is checked as any other folder, also where an
// absolute link leads back to it.
func TestRoot(t *testing.T) {
	if !kit.InMounts(t, "a root of its own") {
		return
	}
	root := t.TempDir()
	kit.Must(t, os.Chmod(root, 0o777))
	kit.Must(t, os.WriteFile(root+"/file", []byte(good), 0o600))
	kit.Must(t, os.Symlink("/file", root+"/link"))
	kit.Must(t, unix.Chroot(root))
	for _, path := range []string{"/file", "/link", "/"} {
		refused(t, path, "/ has mode 0777, so others may write to it")
	}
	kit.Must(t, os.Chmod("/", 0o755))
	for _, path := range []string{"/file", "/link"} {
		if err := adminfile.Check(path); err != nil {
			t.Error(err)
		}
	}
}
