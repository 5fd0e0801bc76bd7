package cgroup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// TestForkInNothing: the thread that could not enter a group is free for other work.
func TestForkInNothing(t *testing.T) {
	t.Parallel()
	g := newGroup(t, variant{cgroup.V1, false})
	kit.Must(t, g.parent.Remove(soon(t), g.job))
	started := errors.New("started")
	if err := g.Fork(&syscall.SysProcAttr{}, func() error { return started }); err == nil || errors.Is(err, started) {
		t.Errorf("error %v", err)
	}
	if locked() {
		t.Error("the thread is locked")
	}
}

// locked reports whether no other goroutine can run in this thread.
func locked() bool {
	stack := make([]byte, 200)
	return strings.Contains(string(stack[:runtime.Stack(stack, false)]), "locked to thread")
}

// TestThreadStays: a thread that cannot leave the group of a job does no other work.
func TestThreadStays(t *testing.T) {
	t.Parallel()
	g := newGroup(t, variant{cgroup.V1, false})
	if output, err := again(t, "stay", "\"$0\" || exit 1", g.job).CombinedOutput(); err != nil {
		t.Errorf("%v, output %q", err, output)
	}
}

// stay is TestThreadStays in a process of its own.
func stay(job cgroup.Name) error {
	parent, err := cgroup.OwnOf(cgroup.V1)
	if err != nil {
		return err
	}
	g, err := parent.Create(context.Background(), job)
	if err != nil {
		return err
	}
	err = g.Fork(&syscall.SysProcAttr{}, func() error {
		parent.Close() // the way back
		return nil
	})
	if !errors.Is(err, unix.EBADF) || !strings.Contains(err.Error(), "leave the cgroup of the job: ") || !locked() {
		return fmt.Errorf("error %w, locked: %v", err, locked())
	}
	return nil
}

// TestCreateInFull: a host whose groups are all taken has none for a job.
func TestCreateInFull(t *testing.T) {
	t.Parallel()
	g := newGroup(t, variant{cgroup.V2, false})
	kit.Must(t, os.WriteFile(g.path+"/cgroup.max.descendants", []byte("0"), 0o600))
	output, err := again(t, "create in full", "echo $$ >"+g.path+"/cgroup.procs; exec \"$0\"", newJob()).CombinedOutput()
	if err == nil || !strings.HasPrefix(string(output), cgroup.ErrUnavailable.Error()+": ") || !strings.Contains(string(output), "resource temporarily unavailable") {
		t.Errorf("%v, output %q", err, output)
	}
}

// createInFull is TestCreateInFull in a process of its own.
func createInFull(job cgroup.Name) error {
	parent, err := cgroup.OwnOf(cgroup.V2)
	if err == nil {
		_, err = parent.Create(context.Background(), job)
	}
	return err
}

// TestAtClosed: a folder that is none of a cgroup does not stay open.
func TestAtClosed(t *testing.T) { // alone: it counts the files that this process has open
	dir := t.TempDir()
	_, err := cgroup.At(dir)
	links, readErr := os.ReadDir("/proc/self/fd")
	kit.Must(t, readErr)
	for _, link := range links {
		if target, _ := os.Readlink("/proc/self/fd/" + link.Name()); err == nil || target == dir {
			t.Errorf("%v, open: %s", err, target)
		}
	}
}
