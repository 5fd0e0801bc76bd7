package kit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// changes are the system calls that change files, before each of which a stage is
// killed once.
func changes() []uint64 {
	return []uint64{
		unix.SYS_MKDIRAT, unix.SYS_OPENAT, unix.SYS_OPEN, unix.SYS_WRITE, unix.SYS_FSYNC, unix.SYS_LINKAT, unix.SYS_SYMLINKAT,
		unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2, unix.SYS_RENAME, unix.SYS_FCHMOD, unix.SYS_CHMOD, unix.SYS_FCHOWN, unix.SYS_FCHOWNAT, unix.SYS_UNLINKAT, unix.SYS_FLOCK,
		unix.SYS_FTRUNCATE, unix.SYS_MKDIR,
	}
}

// Traced lets the parent trace this thread from here on: it is one that StrikeBefore has started.
func Traced(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if _, _, code := syscall.RawSyscall(syscall.SYS_PTRACE, syscall.PTRACE_TRACEME, 0, 0); code != 0 {
		t.Fatal(code)
	}
	Must(t, unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGUSR1))
}

// StrikeBefore runs the test again in a child, which calls Traced,, and strikes before its n-th change. It returns whether
// there were so many.
func StrikeBefore(t *testing.T, binary string, n int, strike func(child int)) bool {
	t.Helper()
	runtime.LockOSThread() // the thread that forks is the one that traces
	defer runtime.UnlockOSThread()
	command := exec.Command(binary, "-test.run=^"+strings.Split(t.Name(), "/")[0]+"$")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	output, err := os.Create(filepath.Join(t.TempDir(), "output"))
	Must(t, err)
	defer output.Close()
	command.Stdout, command.Stderr = output, output
	Must(t, command.Start())
	pid := command.Process.Pid
	defer func() { _ = command.Wait() }()
	told, entering, seen := false, true, 0
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-pid, &status, syscall.WALL, nil)
		if errors.Is(err, syscall.ECHILD) || tid == pid && (status.Exited() || status.Signaled()) {
			if seen < n && (err != nil || status.ExitStatus() != 0) {
				text, _ := os.ReadFile(output.Name())
				t.Errorf("point %d: the stage ends by itself after %d changes: %v, %v\n%s", n, seen, err, status, text)
			}
			return seen >= n
		}
		Must(t, err)
		if !told && status.Stopped() { // Go's own signal may come before SIGUSR1
			_ = syscall.PtraceSetOptions(tid, syscall.PTRACE_O_TRACESYSGOOD)
			told = true
		}
		deliver := 0
		switch {
		case !status.Stopped():
			continue
		case status.StopSignal() == syscall.SIGUSR1:
		case status.StopSignal() == syscall.SIGTRAP|0x80:
			var registers syscall.PtraceRegs
			if err := syscall.PtraceGetRegs(tid, &registers); errors.Is(err, syscall.ESRCH) {
				continue // it dies
			}
			if entering && slices.Contains(changes(), registers.Orig_rax) {
				if seen++; seen == n {
					strike(pid)
				}
			}
			entering = !entering
		default:
			deliver = int(status.StopSignal())
		}
		if err := syscall.PtraceSyscall(tid, deliver); !errors.Is(err, syscall.ESRCH) {
			Must(t, err)
		}
	}
}
