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
	leaseMargin = 2 * time.Hour       // for what the runner does when a job's time is over
	longestJob  = 31 * 24 * time.Hour // GitLab allows a month
)

// Lease says how long the state of a job is needed: as long as the runner lives, and
// no longer than the job may run. It does not rest on the clock that people set.
type Lease struct {
	RunnerPID   int    `json:"runner_pid"`
	RunnerStart uint64 `json:"runner_start"` // field 22 of /proc/<pid>/stat: no later process of that id has the same
	BootID      string `json:"boot_id"`
	Namespace   string `json:"pid_namespace"` // in which RunnerPID is an id
	Expires     int64  `json:"expires"`       // seconds since the boot, those of suspension included
}

// Runner returns the process id of the runner that started this stage: it gives
// each stage a process group, so it is the parent of the one who leads that, also
// where the admin has put a script around the stage. It is 0 where that is hidden.
//
// https://gitlab.com/gitlab-org/gitlab-runner/-/blob/v19.4.0/helpers/process/killer_unix.go
func Runner() int {
	leader := unix.Getpgrp()
	if leader == os.Getpid() {
		return os.Getppid()
	}
	content, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", leader))
	fields := afterName(string(content))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[4-3])
	return parent
}

// NewLease returns the lease of a job of the runner with that process id, which may
// run for that lifetime; where that is not known, 0, for the longest that GitLab
// allows. A runner that is not known, 0, is not asked for. It is an error where the
// runner is not alive any more.
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

// Alive reports whether the runner is alive and the time not over. A runner that
// cannot be seen from here, as in another container, counts as alive.
func (l Lease) Alive() bool { return newHost().alive(l) }

// host is what leases are measured by.
type host struct {
	bootID    string
	namespace string
	sinceBoot int64     // seconds
	now       time.Time // by the clock on the wall
}

// newHost reads it. What cannot be read is empty, here as when the lease was made.
func newHost() host {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, _ := os.Readlink("/proc/self/ns/pid")
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) // no Linux that Go runs on is without it
	return host{strings.TrimSpace(string(boot)), namespace, now.Sec, time.Now()}
}

// alive reports whether a lease still holds.
func (h host) alive(l Lease) bool {
	if l.BootID != h.bootID || h.sinceBoot >= l.Expires {
		return false
	}
	if l.Namespace != h.namespace || l.RunnerPID == 0 {
		return true
	}
	start, ok := startOf(l.RunnerPID)
	return ok && (start == 0 || start == l.RunnerStart)
}

// startOf returns when a process began, in ticks since the boot, or 0 where that is
// hidden from this user, and whether it lives. A zombie does not.
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

// afterName returns the fields of a /proc/<pid>/stat from the third on. The second
// is the name of the program, which may hold anything.
func afterName(stat string) []string { return strings.Fields(stat[strings.LastIndex(stat, ")")+1:]) }
