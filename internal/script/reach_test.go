package script_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// TestDriverIsOutOfReach: the script cannot read anything of the driver or harm it. See
// probeHost for its attempts.
func TestDriverIsOutOfReach(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, "./helper\n"+
		"for name in environ fd/0 fd/1 mem maps cwd exe auxv stack; do cat /proc/$PPID/$name && echo read $name; done 2>/dev/null\n"+
		"ls /proc/$PPID/fd /proc/$PPID/task/*/fd 2>/dev/null\n"+
		"kill -9 $PPID 2>/dev/null && echo killed\nkill -0 $PPID 2>/dev/null && echo could kill\n"+
		"echo 1000 2>/dev/null >/proc/$PPID/oom_score_adj && echo oom\n"+
		"cat script0 </dev/null 2>/dev/null || cat /proc/self/fd/0 2>/dev/null || cat /dev/stdin 2>/dev/null && echo script\n"+
		"{ echo x >>script0; } 2>/dev/null && echo written\nexit 0\n")
	d.copyTo(t, "helper", 0o755)
	d.orders.Env = append(d.orders.Env, probe+"=1")
	if got := d.output(t); got != "64123 64123\n" {
		t.Errorf("the script could do this:\n%s", got)
	}
}

// probe names the variable that makes the test binary a program of a script.
const probe = "SCRIPT_TEST_PROBE"

// probeHost tries to get privileges and to reach the script's driver. It prints each
// success, and then its real and effective uid.
func probeHost() {
	runtime.LockOSThread()
	driver := os.Getppid() // bash's, where a script is the parent
	var stat string
	if content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", driver)); err == nil {
		stat = string(content[strings.LastIndexByte(string(content), ')'):])
		_, _ = fmt.Sscanf(stat, ") S %d", &driver)
	}
	word := make([]byte, 8)
	remote := []unix.RemoteIovec{{Base: 0x400000, Len: len(word)}}
	local := []unix.Iovec{{Base: &word[0], Len: uint64(len(word))}}
	for name, try := range map[string]func() error{
		"setuid":     func() error { return syscall.Setuid(0) },
		"setresuid":  func() error { return syscall.Setresuid(-1, 0, -1) },
		"setgid":     func() error { return syscall.Setgid(0) },
		"setgroups":  func() error { return syscall.Setgroups([]int{0}) },
		"new privs":  func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) },
		"capability": func() error { return unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_CHOWN, 0, 0) },
		"ptrace":     func() error { return traceOnce(driver) },
		"kill":       func() error { return syscall.Kill(driver, syscall.SIGCONT) },
		"memory":     func() error { _, err := unix.ProcessVMReadv(driver, local, remote, 0); return err },
		"limits":     func() error { return unix.Prlimit(driver, unix.RLIMIT_CORE, &unix.Rlimit{}, nil) },
		"priority":   func() error { return unix.Setpriority(unix.PRIO_PROCESS, driver, 19) },
		"terminal":   func() error { _, err := os.Open("/dev/tty"); return err },
		"typing":     func() error { return unix.IoctlSetInt(0, unix.TIOCSTI, 0) },
	} {
		if try() == nil {
			_, _ = fmt.Fprintln(os.Stdout, name, "of", stat)
		}
	}
	_, _ = fmt.Fprintln(os.Stdout, os.Getuid(), os.Geteuid())
}

// traceOnce attaches to a process and lets it go on.
func traceOnce(pid int) error {
	if err := syscall.PtraceAttach(pid); err != nil {
		return err
	}
	if _, err := syscall.Wait4(pid, nil, syscall.WALL, nil); err != nil {
		return err
	}
	return syscall.PtraceDetach(pid)
}

// TestSetuidProgram: a setuid program gives the script no rights, though it would give
// them to others.
func TestSetuidProgram(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, "./suid | tail -1\n./sgid | tail -1\n")
	d.copyTo(t, "suid", 0o755|os.ModeSetuid)
	d.copyTo(t, "sgid", 0o755|os.ModeSetgid)
	d.orders.Env = append(d.orders.Env, probe+"=1")
	others := newDriver(t, "setpriv --reuid 64123 --clear-groups ./suid | tail -1\n")
	others.orders.Dir, others.orders.Env = d.orders.Dir, append(others.orders.Env, probe+"=1")
	if got := others.output(t); got != "0 0\n" { // it could become root for good
		t.Skipf("NOT TESTED: setuid programs do not work in the folder for tests: %s%s", got, &others.stderr)
	}
	if got := d.output(t); got != "64123 64123\n64123 64123\n" {
		t.Errorf("real and effective uid: %s", got)
	}
}

// TestKeyring: the script cannot read keys in the service's session keyring.
func TestKeyring(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread() // and never unlocked: the keyring is the thread's
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil {
		t.Skipf("NOT TESTED: no keyrings here: %v", err)
	}
	_, err := unix.AddKey("user", "of-the-service", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING)
	kit.Must(t, err)
	const list = "grep -c of-the-service /proc/keys; :\n"
	plain := newDriver(t, list)
	if got := plain.output(t); got != "1\n" {
		t.Skipf("NOT TESTED: /proc/keys does not show keys: %s%s", got, &plain.stderr)
	}
	if got := newUserDriver(t, list).output(t); got != "0\n" {
		t.Errorf("the script has %s of the service's keys", got)
	}
}

// TestNoSuchUser: the driver runs no script as root, in root's group, or as a user that
// it cannot become.
func TestNoSuchUser(t *testing.T) {
	t.Parallel()
	for want, users := range map[string][]script.User{
		"it must not be root or a member of root's group": {{UID: 0, GID: 5}, {UID: 5, GID: 0}, {UID: 5, GID: 5, Groups: []uint32{5, 0}}},
		"invalid argument": {{UID: 1<<32 - 1, GID: 5}, {UID: 5, GID: 1<<32 - 1}},
	} {
		for _, user := range users {
			d := newUserDriver(t, "echo it ran\n")
			d.orders.User = &user
			d.start(t)
			if r := d.end(t)[0]; !strings.Contains(r.Err, want) || d.stdout.Len() > 0 {
				t.Errorf("%+v: error %q, output %s", user, r.Err, &d.stdout)
			}
		}
	}
}

// TestDriverWithoutRoot: without root the driver runs scripts only as its own user.
func TestDriverWithoutRoot(t *testing.T) {
	t.Parallel()
	const text = "grep -E '^(Uid|Groups|CapEff|NoNewPrivs)' /proc/self/status; umask\n" +
		"cat /proc/$PPID/environ 2>/dev/null && echo read; exit 0\n"
	for uid, want := range map[uint32]string{
		64123: "Uid:	64123	64123	64123	64123\nGroups:	64130 \nCapEff:	0000000000000000\nNoNewPrivs:	1\n0077\n",
		64129: "",
	} {
		d := newUserDriver(t, text)
		d.copyTo(t, "helper", 0o755)
		d.Path = d.file("helper")
		d.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 64123, Gid: 64124, Groups: []uint32{64130}}}
		kit.Must(t, os.Chown(d.orders.Scripts[0], 64123, -1))
		d.orders.User.UID = uid
		d.start(t)
		r := d.end(t)[0]
		if (r.Err == "") != (want != "") || r.Err != "" && !strings.Contains(r.Err, "run the script as uid 64129: only root can") {
			t.Errorf("uid %d: error %q", uid, r.Err)
		}
		if got := d.stdout.String(); got != want {
			t.Errorf("uid %d: the script sees\n%swant\n%s", uid, got, want)
		}
	}
}

// TestCloseEachOnExec: descriptors are closed on kernels without close_range, too.
func TestCloseEachOnExec(t *testing.T) {
	t.Parallel()
	fd, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	kit.Must(t, err)
	defer func() { kit.Must(t, unix.Close(fd)) }()
	kit.Must(t, script.CloseEachOnExec())
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags != unix.FD_CLOEXEC {
		t.Errorf("flags of the descriptor: %d, %v", flags, err)
	}
	if flags, err := unix.FcntlInt(2, unix.F_GETFD, 0); err != nil || flags != 0 {
		t.Errorf("flags of standard error: %d, %v", flags, err)
	}
}

// TestUnprotected: the script does not inherit the driver's protection from the OOM
// killer.
func TestUnprotected(t *testing.T) {
	t.Parallel()
	for before, want := range map[string]string{"-500\n": "0", "0\n": "0\n", "300\n": "300\n", "": ""} {
		path := filepath.Join(t.TempDir(), "oom_score_adj")
		kit.Must(t, os.WriteFile(path, []byte(before), 0o600))
		var during string
		pid, err := script.Unprotected(path, func() (int, error) {
			during = string(readFile(t, path))
			return 7, io.EOF
		})
		if after := string(readFile(t, path)); during != want || after != before || pid != 7 || !errors.Is(err, io.EOF) {
			t.Errorf("%q: then %q, want %q, and %q afterwards, %d, %v", before, during, want, after, pid, err)
		}
	}
}
