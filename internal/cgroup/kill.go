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
	minPause  = 100 * time.Microsecond // between two checks of what is left; doubles up to maxPause
	maxPause  = 10 * time.Millisecond
	freezing  = 50 * time.Millisecond // how long to wait until a group is frozen
	maxPinned = 256                   // how many processes are held by descriptors at once
)

// Kill kills every process in the group and in the groups below it, and returns when
// they are gone or ctx is done. An error names the processes that are left: they wait
// for a device or a file server, and die when it answers. A group that is gone counts as
// empty.
//
// After Kill the group is dead: create it anew. Since Linux 6.14, and in stable kernels
// with the same fix, a process that CLONE_INTO_CGROUP starts in a group whose
// cgroup.kill was ever written is killed at birth (cgroup_css_set_fork in
// https://github.com/torvalds/linux/blob/v6.14/kernel/cgroup/cgroup.c).
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
		if err := g.checkOutside(); err != nil {
			return err
		}
		struck = g.killOnce(ctx) // not final: a fork bomb may have exhausted memory or ids for a moment
		sleep(ctx, pause)
	}
}

// checkOutside fails if this process is in the group, or if that cannot be found out.
func (g *Group) checkOutside() error {
	inside, err := g.isInside()
	if inside {
		err = errors.New("this process is in it")
	}
	if err != nil {
		return g.dir.errorf("", fmt.Errorf("not killed: %w", err))
	}
	return nil
}

// isInside reports whether this process is in the group.
func (g *Group) isInside() (bool, error) {
	groups, err := os.ReadFile("/proc/self/cgroup")
	own, _ := membership(g.dir.kind, string(groups))
	return slices.Contains(strings.Split(own, "/"), string(g.name)), err
}

// Remove kills the processes of a job and removes its group. It is not an error if the
// group does not exist.
func (p *Parent) Remove(ctx context.Context, name Name) error {
	g, err := p.open(name)
	if err != nil {
		return unlessGone(err)
	}
	defer g.Close()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		if err := g.Kill(ctx); err != nil {
			return err
		}
		// The group is busy until its last process has ended, and if a new one was started.
		err := p.dir.remove(string(name))
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: new processes start all the time, or some are in another PID namespace", err)
		}
		sleep(ctx, pause)
	}
}

// sleep waits for the pause, or until ctx is done.
func sleep(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// populated reports whether a process is in the group or in a group below it.
func (g *Group) populated() (bool, error) {
	if g.dir.kind == V2 {
		events, err := g.dir.read("cgroup.events")
		return strings.Contains(events, "populated 1"), unlessGone(err)
	}
	pids, err := g.Processes()
	return len(pids) > 0, err
}

// survivors returns an error that names the processes that are left.
func (g *Group) survivors(cause error) error {
	pids, err := g.Processes()
	if slices.Contains(pids, 0) {
		cause = fmt.Errorf("%w (0 is a process in another PID namespace)", cause)
	}
	return errors.Join(fmt.Errorf("processes in %s do not die: %v: %w", g.dir.path, pids[:min(len(pids), 20)], cause), err)
}

// killOnce sends SIGKILL to the processes that are in the group now.
func (g *Group) killOnce(ctx context.Context) error {
	if g.dir.kind == V2 && !g.slow {
		err := g.dir.write("cgroup.kill", "1") // Linux 5.14
		if !errors.Is(err, unix.ENOENT) {
			return unlessGone(err)
		}
	}
	return errors.Join(g.freeze(ctx), g.signal(), g.thaw())
}

// freeze stops the processes of the group, so that none can fork. It waits for a short
// time until they have stopped.
func (g *Group) freeze(ctx context.Context) error {
	file, value, state, frozen := "freezer.state", "FROZEN", "freezer.state", "FROZEN"
	if g.dir.kind == V2 {
		file, value, state, frozen = "cgroup.freeze", "1", "cgroup.events", "frozen 1"
	}
	if err := g.dir.write(file, value); err != nil {
		return unlessGone(err)
	}
	for deadline := time.Now().Add(freezing); time.Now().Before(deadline) && ctx.Err() == nil; sleep(ctx, minPause) {
		now, err := g.dir.read(state)
		if err != nil || strings.Contains(now, frozen) {
			return unlessGone(err)
		}
	}
	return nil // the processes that still run get the signal, too
}

// thaw lets the processes of the group run, so that they can die of the signal. In v1 it
// thaws the groups below too: a job may have frozen one, and its processes would stay.
func (g *Group) thaw() error {
	if g.dir.kind == V2 {
		return unlessGone(g.dir.write("cgroup.freeze", "0"))
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

// signalSome sends SIGKILL to those of the pids that are in the group. Since pids was
// read, a process may have died and its id may belong to a process outside. So each id
// is first pinned by a descriptor, and then gets the signal only if the group still
// lists it.
func (g *Group) signalSome(pids []int) error {
	pinned := map[int]int{}
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		switch {
		case err == nil:
			defer func() { _ = unix.Close(fd) }()
			pinned[pid] = fd
		case !errors.Is(err, unix.ESRCH): // Linux before 5.3: a frozen process keeps its id
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
