package run_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/test/kit"
)

// moments are the system calls before which the stage is stopped.
var moments = []uint64{
	unix.SYS_OPENAT, unix.SYS_FLOCK, unix.SYS_CLONE, unix.SYS_CLONE3, unix.SYS_MEMFD_CREATE, unix.SYS_PIPE2, unix.SYS_PRCTL, unix.SYS_PIDFD_OPEN,
	unix.SYS_POLL, unix.SYS_PPOLL, unix.SYS_WAIT4, unix.SYS_WAITID, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT, unix.SYS_CLOSE_RANGE, unix.SYS_FACCESSAT,
	unix.SYS_EPOLL_CREATE1, unix.SYS_RT_SIGRETURN,
}

// trace runs the stage, and calls strike before the n-th of the moments, while nothing of
// it goes on. It returns whether there were so many.
func (h *halted) trace(t *testing.T, n int, strike func()) bool {
	t.Helper()
	runtime.LockOSThread() // the thread that attaches is the one that traces
	defer runtime.UnlockOSThread()
	kit.Await(t, "the stage has stopped", func() bool {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", h.pid))
		return strings.Contains(string(stat), ") T ")
	})
	kit.Must(t, unix.PtraceSeize(h.pid))
	seen, inside, set := 0, map[int]bool{}, false
	for {
		var status syscall.WaitStatus
		tid, err := syscall.Wait4(-h.pid, &status, syscall.WALL, nil)
		if errors.Is(err, syscall.ECHILD) || tid == h.pid && (status.Exited() || status.Signaled()) {
			h.exit = status.ExitStatus()
			return seen >= n
		}
		kit.Must(t, err)
		deliver := 0
		switch event := int(status) >> 16; {
		case !status.Stopped():
			continue
		case !set:
			set = true
			kit.Must(t, syscall.PtraceSetOptions(tid, syscall.PTRACE_O_TRACESYSGOOD|syscall.PTRACE_O_TRACECLONE))
			kit.Must(t, syscall.Kill(h.pid, syscall.SIGCONT))
		case event != 0:
		case status.StopSignal() == syscall.SIGTRAP|0x80:
			var registers syscall.PtraceRegs
			if syscall.PtraceGetRegs(tid, &registers) != nil {
				continue // it dies
			}
			if inside[tid] = !inside[tid]; inside[tid] && slices.Contains(moments, registers.Orig_rax) {
				if seen++; seen == n {
					strike()
				}
			}
		default:
			deliver = int(status.StopSignal())
		}
		if err := syscall.PtraceSyscall(tid, deliver); !errors.Is(err, syscall.ESRCH) {
			kit.Must(t, err)
		}
	}
}
