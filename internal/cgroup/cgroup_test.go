package cgroup_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// TestFork: the child is in the group before its first instruction, and this process
// never is.
func TestFork(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		name := filepath.Base(g.path)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 20 {
					command := g.command("cat", "/proc/self/cgroup")
					var output strings.Builder
					command.Stdout = &output
					err := g.Fork(command.SysProcAttr, command.Start)
					runtime.GC()
					if err = errors.Join(err, command.Wait()); err != nil || strings.Count(output.String(), name) != 1 {
						t.Errorf("%v, the child is in\n%s", err, &output)
					}
				}
			})
		}
		all.Wait()
		paths, err := filepath.Glob("/proc/self/task/*/cgroup")
		kit.Must(t, err)
		for _, path := range paths {
			if content, _ := os.ReadFile(path); strings.Contains(string(content), name) {
				t.Errorf("a thread of this process is in\n%s", content)
			}
		}
	})
}

// TestForkFails: Fork returns the error of fork and leaves this process outside. In a
// group that is gone no process starts.
func TestForkFails(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		command := g.command("/none/such")
		if err := g.Fork(command.SysProcAttr, command.Start); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("error %v", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = g.Fork(&syscall.SysProcAttr{}, func() error { panic("in the fork") })
		}()
		g.expectNone(t)
		kit.Must(t, g.parent.Remove(soon(t), g.job))
		command = g.command("sleep", "1000")
		if err := g.Fork(command.SysProcAttr, command.Start); err == nil {
			t.Error("a process started in a group that is gone")
		}
		g.expectNone(t)
	})
}

// TestCreate: each stage of a job gets an empty group, whatever the stage before has
// left. In the old group no process can start.
func TestCreate(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		for _, leave := range []func(){
			func() {},
			func() { kit.Must(t, g.Kill(soon(t))) },
			func() { freeze(t, v, g.path) },
		} {
			g.start(t, "sleep 1000")
			g.await(t, 1)
			leave()
			next, err := g.parent.Create(soon(t), g.job)
			kit.Must(t, err)
			g.expectNone(t)
			g.Close()
			g.Group = next
		}
		g.start(t, "sleep 1000")
		kit.Must(t, g.Kill(soon(t)))
		command := g.command("true")
		if err := g.Fork(command.SysProcAttr, command.Start); err == nil || !strings.Contains(err.Error(), "create the group again") {
			t.Errorf("error %v", err)
		}
		for _, name := range unnamed {
			_, err := g.parent.Create(soon(t), name)
			expectUnavailable(t, err, fmt.Sprintf("group %q in ", name))
		}
		_, err := at(t, g.parent.Path()).Create(soon(t), newJob())
		expectUnavailable(t, err, g.parent.Path())
	})
}

// unnamed are no names of groups of jobs.
var unnamed = []cgroup.Name{
	"", ".", "..", "77", "rolecall-", "rolecall-0", "rolecall--7", "rolecall-012", "rolecall-+3", "rolecall-5x", "rolecall-9 ",
	"Rolecall-8", "rolecall-99999999999999999999", "rolecall-7/../../x", "rolecall-7-", "rolecall-7-00000000000000aB",
	"rolecall-7-0", "rolecall-7-00000000000000ab0", "rolecall-7-../../../../../x", "rolecall-7-00000000000000ab-0",
}

// TestNames: two jobs of the same id have two groups, and one is removed without the
// other. Groups of other names are not touched.
func TestNames(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		parent := at(t, g.path)
		twins := []cgroup.Name{cgroup.NameOf(7, ""), cgroup.NameOf(7, "0123456789abcdef"), cgroup.NameOf(7, "0123456789abcdee")}
		for _, name := range twins {
			kit.Must(t, os.Mkdir(filepath.Join(g.path, string(name)), 0o755))
		}
		for i, name := range twins {
			kit.Must(t, parent.Remove(soon(t), name))
			if left, err := filepath.Glob(g.path + "/rolecall-*"); err != nil || len(left) != len(twins)-1-i {
				t.Errorf("after %s: %v, %v", name, left, err)
			}
		}
		for _, name := range unnamed {
			if err := parent.Remove(soon(t), name); err == nil || !strings.Contains(err.Error(), "is no name of a job's group") {
				t.Errorf("Remove(%q) = %v", name, err)
			}
		}
	})
}

// TestRemove: a group is removed with all its content, by several callers at once, and
// a second time.
func TestRemove(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		g.start(t, "mkdir -p $GROUP/{a,b}/{c,d}/e; for i in $GROUP/{a,b}/{c,d}/e; do (echo $BASHPID >$i/cgroup.procs; exec sleep 1000) & done; wait")
		g.await(t, 5)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if err := g.parent.Remove(soon(t), g.job); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		g.expectNone(t)
		if _, err := os.Stat(g.path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the group: %v", err)
		}
		kit.Must(t, g.parent.Remove(soon(t), g.job))
	})
}

// TestDeepGroups: deeply nested groups do not exhaust the descriptors.
func TestDeepGroups(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		deep := g.path + strings.Repeat("/a", 150)
		kit.Must(t, os.MkdirAll(deep, 0o755))
		g.start(t, "echo $$ >"+deep+"/cgroup.procs; sleep 1000")
		g.awaitFile(t, strings.Repeat("a/", 150)+"cgroup.procs", "\n")
		kit.Must(t, g.Kill(soon(t)))
		g.expectNone(t)
		deeper := deep + strings.Repeat("/a", 100)
		kit.Must(t, os.MkdirAll(deeper, 0o755))
		if v == (variant{cgroup.V2, false}) {
			// A process that starts in the group would die at once, so this one is
			// moved in.
			command := g.command("sleep", "1000")
			kit.Must(t, command.Start())
			write(t, deeper+"/cgroup.procs", strconv.Itoa(command.Process.Pid))
			kit.Must(t, g.Kill(soon(t)))
			_ = command.Wait()
			g.expectNoneMarked(t)
		}
		if err := g.parent.Remove(soon(t), g.job); err == nil || !strings.Contains(err.Error(), "groups are nested more than 200 deep") {
			t.Errorf("error %v", err)
		}
		for ; deeper != deep; deeper = filepath.Dir(deeper) {
			kit.Must(t, os.Remove(deeper))
		}
	})
}

// TestAt: a folder that is not a cgroup is refused.
func TestAt(t *testing.T) {
	t.Parallel()
	if _, err := cgroup.At(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a cgroup") {
		t.Errorf("error %v", err)
	}
	if _, err := cgroup.At("/none/such"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// BenchmarkJob compares starting a process in a new group, which is then removed, with
// starting it without one.
func BenchmarkJob(b *testing.B) {
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			kit.Must(b, exec.Command("true").Run())
		}
	})
	for name, v := range map[string]variant{"v2": {cgroup.V2, false}, "v2 slow": {cgroup.V2, true}, "v1": {cgroup.V1, false}} {
		b.Run(name, func(b *testing.B) {
			own(b, v.kind)
			job := newJob()
			for b.Loop() {
				parent, err := cgroup.OwnOf(v.kind)
				kit.Must(b, err)
				g, err := parent.Create(b.Context(), job)
				kit.Must(b, err)
				if v.slow {
					g.SetSlow()
				}
				command := exec.Command("true")
				command.SysProcAttr = &syscall.SysProcAttr{}
				kit.Must(b, g.Fork(command.SysProcAttr, command.Run))
				kit.Must(b, g.Kill(b.Context()))
				kit.Must(b, parent.Remove(b.Context(), job))
				g.Close()
				parent.Close()
			}
		})
	}
}
