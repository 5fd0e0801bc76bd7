package lab

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// killLeftovers kills the processes that came from a runner: those in its session,
// those that run in dir, and those whose environment names dir, as the environment of
// each job does. It repeats until there are none: a process may start another before it
// dies.
func killLeftovers(dir string, session int) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		pids := leftovers(dir, session)
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v do not end", pids)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL) // It may have ended meanwhile.
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Leftovers returns the ids of the processes that jobs of the runner have left or still
// run.
func (r *RunnerService) Leftovers() []int {
	var others []int
	for _, pid := range leftovers(r.dir, r.PID()) {
		if pid != r.PID() {
			others = append(others, pid)
		}
	}
	return others
}

func leftovers(dir string, session int) []int {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err == nil && pid != os.Getpid() && cameFrom(folder, dir, session) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// cameFrom reports whether a process came from a runner. It returns false for a process
// that has ended or belongs to another user.
func cameFrom(folder, dir string, session int) bool {
	state, processSession := status(folder)
	if state == "Z" {
		return false // Already dead; init, or the test, has yet to take note of it.
	}
	if processSession == session {
		return true
	}
	cwd, _ := os.Readlink(filepath.Join(folder, "cwd"))
	if cwd == dir || strings.HasPrefix(cwd, dir+"/") {
		return true
	}
	environ, _ := os.ReadFile(filepath.Join(folder, "environ"))
	return bytes.Contains(environ, []byte(dir+"/"))
}

// status reads a process's state and session from its stat file, proc_pid_stat(5). The
// command's name before them is in parentheses and may have any characters.
func status(folder string) (state string, session int) {
	stat, _ := os.ReadFile(filepath.Join(folder, "stat"))
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 4 {
		return "Z", 0
	}
	session, _ = strconv.Atoi(fields[3])
	return fields[0], session
}
