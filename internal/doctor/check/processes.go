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

// checkProcesses says how the processes of jobs are killed. It tries that with one
// of its own, as kernels differ in what lives in a new cgroup. Its cgroup is not that
// of the runner's service, so it sees what a runner of its user can have.
func (s *site) checkProcesses(ctx context.Context) []Finding {
	const area = "processes"
	parent, err := cgroup.Own()
	if err == nil {
		defer parent.Close()
		err = tryGroup(ctx, parent)
	}
	switch {
	case errors.Is(err, cgroup.ErrUnavailable):
		return []Finding{warn(area, "what a script leaves is hunted one by one: "+strings.ReplaceAll(err.Error(), "\n", "; "),
			"let root run the runner, or set Delegate=yes in its unit")}
	case err != nil:
		return []Finding{fail(area, "a process in a cgroup of a job: "+strings.ReplaceAll(err.Error(), "\n", "; "),
			"update the kernel, or start doctor from a new session and then the runner's service anew")}
	}
	return []Finding{ok(area, "each job has a cgroup of its own to be killed in ("+string(parent.Kind())+")")}
}

// tryGroup makes a cgroup as for a job, sees a process live in it, and removes both.
func tryGroup(ctx context.Context, parent *cgroup.Parent) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	job := 1<<62 + rand.Int64N(1<<62) //nolint:gosec // no secret, and no real job's id
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
	<-ended // at the latest when ctx is
	return err
}

// checkSweep warns where nothing but the next job removes what dead jobs left.
func (s *site) checkSweep(context.Context) []Finding {
	const area, timer = "sweep timer", "rolecall-sweep.timer"
	if !exists(filepath.Join(s.Root, "run/systemd/system")) {
		return nil
	}
	wanted := func(dir string) bool {
		return exists(filepath.Join(s.Root, dir, "systemd/system/timers.target.wants", timer))
	}
	if slices.ContainsFunc([]string{"etc", "run", "usr/lib", "lib"}, wanted) {
		return []Finding{ok(area, timer+" is enabled")}
	}
	return []Finding{warn(area, timer+" is not enabled: what a dead job left stays until the next job comes", "systemctl enable --now "+timer)}
}
