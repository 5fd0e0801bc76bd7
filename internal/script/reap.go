package script

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// killTime is how long killAll tries to kill the processes that a script left.
const killTime = 5 * time.Second

// wait waits until the process pid ends, and meanwhile reaps every orphan.
func wait(pid int) (unix.WaitStatus, error) {
	var status unix.WaitStatus
	for {
		reaped, err := unix.Wait4(-1, &status, 0, nil)
		if reaped == pid {
			return status, nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return status, fmt.Errorf("wait for the script: %w", err)
		}
	}
}

// killAll kills and reaps every process that descends from this one. When a process dies,
// the subreaper becomes the parent of its children, in other sessions too; so killAll
// repeats until there are no children. It returns the processes that are left: those of
// another user, or those of a fork bomb.
func killAll() []int {
	for deadline := time.Now().Add(killTime); ; time.Sleep(time.Millisecond) {
		if !reapDead() {
			return nil
		}
		left := Children()
		for _, pid := range left {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		if time.Now().After(deadline) {
			return left
		}
	}
}

// reapDead reaps the children that are dead, and reports whether any are alive.
func reapDead() bool {
	for {
		pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
		if errors.Is(err, unix.ECHILD) {
			return false
		}
		if pid == 0 {
			return true
		}
	}
}

// Children returns the ids of this process's children.
func Children() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && parent(pid) == os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// parent returns the id of a process's parent, 0 if the process is gone.
func parent(pid int) int {
	stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, after, _ := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), ") ")
	fields := strings.Fields(after)
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}
