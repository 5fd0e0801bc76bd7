package state

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	leaseMargin = 2 * time.Hour       // for the runner's work after the timeout of a job
	longestJob  = 31 * 24 * time.Hour // the longest timeout that GitLab allows
)

// Lease says how long the state of a job is needed: as long as the runner lives, and no
// longer than the job may run. It does not depend on the clock that people set.
type Lease struct {
	RunnerPID   int    `json:"runner_pid"`
	RunnerStart uint64 `json:"runner_start"` // field 22 of /proc/<pid>/stat: no later process with the same id has the same start
	BootID      string `json:"boot_id"`
	Namespace   string `json:"pid_namespace"` // the PID namespace of RunnerPID
	Expires     int64  `json:"expires"`       // seconds since the boot, including those of suspension
}

// Runner returns the process id of the runner that started this stage. The runner gives
// each stage a process group, so the runner is the parent of the group's leader, even if
// the admin has put a script around the stage. Runner returns 0 if the leader is hidden.
//
// https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v19.4.0/helpers/process/killer_unix.go
func Runner() int {
	leader := unix.Getpgrp()
	if leader == os.Getpid() {
		return os.Getppid()
	}
	return parentOf(leader)
}

// parentOf returns the parent of a process, or 0 if the process is hidden.
func parentOf(pid int) int {
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	fields := afterName(string(content))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[4-3])
	return parent
}

// NewLease returns the lease of a job that may run for lifetime, and whose runner has
// the process id pid. Lifetime 0 means unknown: GitLab's maximum is used. Pid 0 means
// that the runner cannot be seen: only the time counts. If the runner is dead, NewLease
// returns an error.
func NewLease(pid int, lifetime time.Duration) (Lease, error) {
	if lifetime <= 0 {
		lifetime = longestJob
	}
	h := newHost()
	start, ok := startOf(pid)
	if pid != 0 && (!ok || start == 0) {
		return Lease{}, fmt.Errorf("the runner, process %d, is not alive, or /proc does not show it", pid)
	}
	return Lease{pid, start, h.bootID, h.namespace, h.sinceBoot + int64((lifetime+leaseMargin)/time.Second)}, nil
}

// Alive reports whether the runner is alive and the lease has not expired. A runner that
// cannot be seen from here, as in another container, counts as alive.
func (l Lease) Alive() bool { return newHost().alive(l) }

// host is the state of the host that decides whether a lease holds.
type host struct {
	bootID    string
	namespace string
	sinceBoot int64     // seconds
	now       time.Time // of the system's clock
}

// newHost reads the state of the host. A field that cannot be read is empty, as it was
// when the lease was made.
func newHost() host {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, _ := os.Readlink("/proc/self/ns/pid")
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // every Linux that Go supports has this clock
	return host{strings.TrimSpace(string(boot)), namespace, now.Sec, time.Now()}
}

// alive reports whether a lease still holds.
func (h host) alive(l Lease) bool {
	if l.BootID != h.bootID || h.sinceBoot >= l.Expires {
		return false
	}
	return l.Namespace != h.namespace || l.RunnerPID == 0 || l.runnerLives()
}

// orphaned reports whether the runner of a lease is known to be dead, on this boot.
func (h host) orphaned(l Lease) bool {
	return l.BootID == h.bootID && l.Namespace == h.namespace && l.RunnerPID != 0 && !l.runnerLives()
}

// runnerLives reports whether the process of the runner is alive. A start that is hidden
// from this user cannot tell it from another process, and counts as the runner's.
func (l Lease) runnerLives() bool {
	start, alive := startOf(l.RunnerPID)
	return alive && (start == 0 || start == l.RunnerStart)
}

// startOf returns the start of a process, in ticks since the boot, and whether it is
// alive. The start is 0 if it is hidden from this user. A zombie is not alive.
func startOf(pid int) (uint64, bool) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, pid > 0 && !errors.Is(unix.Kill(pid, 0), unix.ESRCH)
	}
	fields := afterName(string(content))
	if len(fields) < 20 {
		return 0, true
	}
	ticks, _ := strconv.ParseUint(fields[22-3], 10, 64)
	return ticks, fields[0] != "Z" && fields[0] != "X"
}

// afterName returns the fields of a /proc/<pid>/stat, beginning with the third. The
// second field is the name of the program, which may contain any character.
func afterName(stat string) []string { return strings.Fields(stat[strings.LastIndex(stat, ")")+1:]) }
