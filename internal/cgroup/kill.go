package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	minPause  = 100 * time.Microsecond // between two looks at what is left
	maxPause  = 10 * time.Millisecond
	freezing  = 50 * time.Millisecond // bounds the wait for a group to freeze
	maxPinned = 256                   // processes that are held by descriptors at once
)

// Kill kills every process in the group and in the groups below it, and returns
// when they are gone or ctx is done. An error names the processes that stay: they
// wait for a device, or for a file server, and die when that answers. A group that
// is gone is an empty one.
//
// Nothing can start in the group after that. It is Linux that has it so: with the
// repair of a race in 6.14, which older lines may have taken over, all that
// CLONE_INTO_CGROUP starts in a group which knew a cgroup.kill dies at once, as
// cgroup_css_set_fork compares the count of kills with that of the parent's group.
func (g *Group) Kill(ctx context.Context) error {
	g.killed.Store(true)
	var struck error
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		left, err := g.populated()
		if err == nil && !left {
			return nil
		}
		if ctx.Err() != nil && pause > minPause {
			return errors.Join(g.survivors(ctx.Err()), err, struck)
		}
		if err := g.outside(); err != nil {
			return err
		}
		struck = g.strike(ctx) // what a fork bomb exhausts may be there again soon
		rest(ctx, pause)
	}
}

// outside reports an error where this process is in the group, or may be.
func (g *Group) outside() error {
	groups, err := os.ReadFile("/proc/self/cgroup")
	own, _ := membership(g.dir.kind, string(groups))
	if err == nil && slices.Contains(strings.Split(own, "/"), name(g.job)) {
		err = errors.New("this process is in it")
	}
	if err != nil {
		return g.dir.errorf("", fmt.Errorf("not killed: %w", err))
	}
	return nil
}

// Remove kills the processes of a job and removes its group. None there is no
// error.
func (p *Parent) Remove(ctx context.Context, job int64) error {
	g, err := p.open(job)
	if err != nil {
		return present(err)
	}
	defer g.Close()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if err := g.Kill(ctx); err != nil {
			return err
		}
		// It is busy while its last process ends, or if somebody started another.
		err := p.dir.remove(name(job))
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: processes keep coming, or are of another PID namespace", err)
		}
		rest(ctx, pause)
	}
}

// rest waits a while, or until ctx is done.
func rest(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// populated reports whether there is a process in the group or below it.
func (g *Group) populated() (bool, error) {
	if g.dir.kind == V2 {
		events, err := g.dir.read("cgroup.events")
		return strings.Contains(events, "populated 1"), present(err)
	}
	pids, err := g.Processes()
	return len(pids) > 0, err
}

// survivors returns an error that names what is left.
func (g *Group) survivors(cause error) error {
	pids, err := g.Processes()
	if slices.Contains(pids, 0) {
		cause = fmt.Errorf("%w (0 is any of another PID namespace)", cause)
	}
	return errors.Join(fmt.Errorf("job %d has processes that do not die: %v: %w", g.job, pids[:min(len(pids), 20)], cause), err)
}

// strike sends SIGKILL to the processes that are in the group now.
func (g *Group) strike(ctx context.Context) error {
	if g.dir.kind == V2 && !g.slow {
		err := g.dir.write("cgroup.kill", "1") // Linux 5.14
		if !errors.Is(err, unix.ENOENT) {
			return present(err)
		}
	}
	return errors.Join(g.freeze(ctx), g.signal(), g.thaw())
}

// freeze stops the processes of the group, so that none can fork, and waits a
// while until they stand.
func (g *Group) freeze(ctx context.Context) error {
	order, value, state, frozen := "freezer.state", "FROZEN", "freezer.state", "FROZEN"
	if g.dir.kind == V2 {
		order, value, state, frozen = "cgroup.freeze", "1", "cgroup.events", "frozen 1"
	}
	if err := g.dir.write(order, value); err != nil {
		return present(err)
	}
	for deadline := time.Now().Add(freezing); time.Now().Before(deadline) && ctx.Err() == nil; rest(ctx, minPause) {
		now, err := g.dir.read(state)
		if err != nil || strings.Contains(now, frozen) {
			return present(err)
		}
	}
	return nil // what does not stand is signalled as well
}

// thaw lets the processes of the group go on, so that they die of the signal. In v1
// a job may have frozen a group below, which would keep them.
func (g *Group) thaw() error {
	if g.dir.kind == V2 {
		return present(g.dir.write("cgroup.freeze", "0"))
	}
	return g.dir.walk(func(d dir) error { return d.write("freezer.state", "THAWED") })
}

// signal sends SIGKILL to the processes of the group.
func (g *Group) signal() error {
	pids, err := g.Processes()
	pids = slices.DeleteFunc(pids, func(pid int) bool { return pid <= 1 || pid == os.Getpid() })
	for some := range slices.Chunk(pids, maxPinned) {
		err = errors.Join(err, g.signalSome(some))
	}
	return err
}

// signalSome sends SIGKILL to those of the pids that are of the group. A process
// may have died, and its id be that of another, since the list was read: so each
// is pinned by a descriptor, and spared unless the group still has it after that.
func (g *Group) signalSome(pids []int) error {
	pinned := map[int]int{}
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == nil:
			defer func() { _ = unix.Close(fd) }()
			pinned[pid] = fd
		case !errors.Is(err, unix.ESRCH): // Linux before 5.3; what is frozen keeps its id
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
	again, err := g.Processes()
	for _, pid := range again {
		if fd, ok := pinned[pid]; ok {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		}
	}
	return err
}
