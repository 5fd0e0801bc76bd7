package cgroup_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// TestCreateOverLiving: a group whose processes cannot be killed is none that this host cannot
// have: no job runs without one because of it.
func TestCreateOverLiving(t *testing.T) {
	t.Parallel()
	g := newGroup(t, variant{cgroup.V1, false})
	g.start(t, "sleep 1000")
	g.await(t, 1)
	command := again(t, "create", "\"$0\" || exit 1", g.parent.Path(), " ", g.job)
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Setsid: true}
	output, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "device or resource busy") || strings.Contains(string(output), cgroup.ErrUnavailable.Error()) {
		t.Errorf("%v, output %q", err, output)
	}
}

// TestKillWithoutDescriptors: Linux before 5.3 has no descriptors of processes.
func TestKillWithoutDescriptors(t *testing.T) {
	t.Parallel()
	g := newGroup(t, variant{cgroup.V2, true})
	g.start(t, "sleep 1000 & sleep 1000")
	g.await(t, 3)
	if output, err := again(t, "kill without descriptors", "\"$0\" || exit 1", g.parent.Path(), " ", g.job).CombinedOutput(); err != nil {
		t.Errorf("%v, output %q", err, output)
	}
	g.expectNone(t)
}

// TestKillLate: also if there is no time any more, each process gets its signal.
func TestKillLate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		g.start(t, "sleep 1000 & sleep 1000")
		g.await(t, 3)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = g.Kill(ctx) // they may still be about to die
		kit.Await(t, "no process", func() bool { return len(g.marked()) == 0 })
	})
}
