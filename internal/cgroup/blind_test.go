package cgroup_test

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// TestReapBlind: what cannot be read does not pass for an empty group. Where it is not known
// whether this process is in the group, nothing is killed.
func TestReapBlind(t *testing.T) {
	t.Parallel()
	for kindName, kind := range map[string]cgroup.Kind{"v2": cgroup.V2, "v1": cgroup.V1} {
		for callName, call := range map[string]uint32{"getdents": unix.SYS_GETDENTS64, "read": unix.SYS_READ} {
			t.Run(kindName+callName, func(t *testing.T) {
				t.Parallel()
				if kit.IsChild(t) {
					reapBlind(t, call)
					return
				}
				g := newGroup(t, variant{kind, false})
				kit.Must(t, os.Mkdir(g.path+"/a", 0o755))
				g.start(t, "sleep 1000")
				g.await(t, 1)
				kit.InChild(t, nil, "PARENT="+g.parent.Path(), "JOB="+string(g.job))
				if left := len(g.marked()); call == unix.SYS_READ && left != 1 {
					t.Errorf("%d processes live, want 1", left)
				}
				if _, err := os.Stat(g.path); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// reapBlind is TestReapBlind in a process whose system call fails.
func reapBlind(t *testing.T, call uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: call}))
	if err := cgroup.Reap(ctx, os.Getenv("PARENT"), cgroup.Name(os.Getenv("JOB"))); !errors.Is(err, unix.EIO) {
		t.Errorf("error %v", err)
	}
}
