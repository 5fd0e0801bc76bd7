package check

import (
	"context"
	"errors"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"rolecall/internal/cgroup"
)

// checkProcesses says how the processes of jobs are killed. It tries this with a process
// of its own, since some kernels kill whatever is started in a new cgroup. Doctor runs
// in another cgroup than the runner's service: the answer applies to a runner with the
// same user and rights.
func (h *host) checkProcesses(ctx context.Context) []Finding {
	const area = "processes"
	parent, err := cgroup.Own()
	if err == nil {
		defer parent.Close()
		err = tryGroup(ctx, parent)
	}
	switch {
	case errors.Is(err, cgroup.ErrUnavailable):
		return []Finding{look(idNoCgroup, area, "no cgroup: leftover processes are found and killed one by one: "+strings.ReplaceAll(err.Error(), "\n", "; "),
			"let root run the runner, or set Delegate=yes in its unit")}
	case err != nil:
		return []Finding{fix(idCgroup, area, "a process in a cgroup of a job: "+strings.ReplaceAll(err.Error(), "\n", "; "),
			"update the kernel, or start rolecall in a new session and restart the runner's service")}
	}
	return []Finding{ok(area, "the processes of each job are killed by their cgroup ("+string(parent.Kind())+")")}
}

// newGroup returns the name of a cgroup for processes that are tried.
func newGroup() cgroup.Name {
	return cgroup.NameOf(1<<62+rand.Int64N(1<<62), "") //nolint:gosec // no secret, and no real job's id
}

// tryGroup makes a cgroup as for a job, checks that a process lives in it, and removes
// both.
func tryGroup(ctx context.Context, parent *cgroup.Parent) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	job := newGroup()
	group, err := parent.Create(ctx, job)
	if err != nil {
		return err
	}
	defer group.Close()
	command := exec.CommandContext(ctx, "sleep", "60")
	command.SysProcAttr = &syscall.SysProcAttr{}
	err = group.Fork(command.SysProcAttr, command.Start)
	if err != nil {
		return errors.Join(err, parent.Remove(ctx, job))
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		err = errors.New("it died as soon as it had started")
	case <-time.After(100 * time.Millisecond):
	}
	err = errors.Join(err, parent.Remove(ctx, job))
	<-ended // the end of ctx kills the process at the latest
	return err
}

// checkSweep warns if only the next job removes what dead jobs left.
func (h *host) checkSweep(context.Context) []Finding {
	const area, timer = "sweep timer", "rolecall-sweep.timer"
	if !exists(filepath.Join(h.Root, "run/systemd/system")) {
		return nil
	}
	switch {
	case !h.hasUnit("timers.target.wants/" + timer):
		return []Finding{look(idSweepTimer, area, timer+" is not enabled: what a dead job left stays until the next job comes", run("systemctl", "enable", "--now", timer))}
	case !h.hasUnit("rolecall-revoke.service"):
		return []Finding{look(idNoRevoke, area, "rolecall-revoke.service is missing: what a server such as Vault gave to a dead job is not revoked", "install all of rolecall again")}
	}
	return []Finding{ok(area, timer+" is enabled")}
}

// hasUnit reports whether systemd has a file for a unit, at that path below one of its folders.
func (h *host) hasUnit(path string) bool {
	return slices.ContainsFunc(h.unitDirs(), func(dir string) bool { return exists(filepath.Join(dir, path)) })
}
