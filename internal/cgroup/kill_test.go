package cgroup_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// TestKill: the processes of a job die, whatever they do to survive, and no others die.
func TestKill(t *testing.T) {
	t.Parallel()
	const move = "mkdir -p $GROUP/a/b; (echo $BASHPID >$GROUP/a/b/cgroup.procs; exec sleep 1000) & sleep 1000\n"
	for name, test := range map[string]struct {
		script string
		want   int // processes, at least
	}{
		"setsid":            {"setsid -f sleep 1000 <&- >&- 2>&-; sleep 1000", 2},
		"double fork":       {"( (setsid sleep 1000 <&- >&- 2>&- &) & )", 1},
		"deaf":              {"trap '' TERM HUP INT; sleep 1000 & sleep 1000", 3},
		"another user":      {"exec setpriv --reuid 61001 --regid 61001 --clear-groups sleep 1000", 1},
		"stopped":           {"sleep 1000 & kill -STOP $! $$", 2},
		"many":              {"for i in {1..300}; do sleep 1000 & done; wait", 301},
		"groups of its own": {move, 3},
		"PID namespace":     {"unshare --pid --fork sleep 1000", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, v variant) {
				g, neighbour := newGroup(t, v), newGroup(t, v)
				neighbour.start(t, "sleep 1000 & sleep 1000")
				g.start(t, test.script)
				g.await(t, test.want)
				if test.script == move {
					g.awaitFile(t, "a/b/cgroup.procs", "\n")
				}
				neighbour.await(t, 3)
				kit.Must(t, g.Kill(soon(t)))
				g.expectNone(t)
				if left := neighbour.marked(); len(left) != 3 {
					t.Errorf("of the job beside it these live: %v", left)
				}
			})
		})
	}
}

// TestFrozen: a job that may write to its own group has frozen a group below it.
func TestFrozen(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		freeze, state, frozen := "freezer.state", "FROZEN", "freezer.state"
		if v.kind == cgroup.V2 {
			freeze, state, frozen = "cgroup.freeze", "1", "cgroup.events"
		}
		g := newGroup(t, v)
		g.start(t, fmt.Sprintf("mkdir $GROUP/a; (echo $BASHPID >$GROUP/a/cgroup.procs; echo %s >$GROUP/a/%s; sleep 1000) & sleep 1000", state, freeze))
		g.awaitFile(t, "a/"+frozen, map[bool]string{true: "frozen 1", false: "FROZEN"}[frozen != freeze])
		kit.Must(t, g.Kill(soon(t)))
		g.expectNone(t)
	})
}

// TestKillSpares: a process outside that has got the id of a dead one is not killed.
func TestKillSpares(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g, neighbour := newGroup(t, v), newGroup(t, v)
		g.start(t, "sleep 1000")
		neighbour.start(t, "sleep 1000")
		g.await(t, 1)
		neighbour.await(t, 1)
		kit.Must(t, g.KillSome(append(neighbour.marked(), g.marked()...)))
		kit.Must(t, g.Kill(soon(t)))
		g.expectNone(t)
		if len(neighbour.marked()) != 1 {
			t.Error("a process of another group was killed")
		}
	})
}

// TestThreaded: the files of a threaded group do not list its processes.
func TestThreaded(t *testing.T) {
	t.Parallel()
	for _, slow := range []bool{false, true} {
		g := newGroup(t, variant{cgroup.V2, slow})
		g.start(t, "mkdir $GROUP/a; echo threaded >$GROUP/a/cgroup.type; echo $$ >$GROUP/a/cgroup.threads; sleep 1000")
		g.awaitFile(t, "a/cgroup.events", "populated 1")
		if pids, err := g.Processes(); err != nil || len(pids) < 1 {
			t.Errorf("processes %v, %v", pids, err)
		}
		kit.Must(t, g.Kill(soon(t)))
		g.expectNone(t)
	}
}

// TestForkWithoutEnd: processes that fork faster than they can be listed, bounded only
// by a limit of their user.
func TestForkWithoutEnd(t *testing.T) {
	t.Parallel()
	for i, body := range []string{"f() { f & f & }; f", "f() { f & }; f", "f() { f | f & }; f", "while :; do (:) & done"} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, v variant) {
				g := newGroup(t, v)
				user := 61010 + 10*i + len(v.kind) + map[bool]int{true: 1}[v.slow]
				g.start(t, fmt.Sprintf("ulimit -u 250; exec setpriv --reuid %d --regid %[1]d --clear-groups bash -c '%s' 2>/dev/null", user, body))
				g.await(t, 1)
				time.Sleep(300 * time.Millisecond)
				begin := time.Now()
				kit.Must(t, g.Kill(soon(t)))
				t.Logf("it took %v", time.Since(begin))
				g.expectNone(t)
				time.Sleep(50 * time.Millisecond)
				g.expectNone(t)
			})
		})
	}
}

// TestKillNothing: Kill of an empty group, and of a group that is gone.
func TestKillNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		kit.Must(t, g.Kill(soon(t)))
		kit.Must(t, g.parent.Remove(soon(t), g.job))
		kit.Must(t, g.Kill(soon(t)))
		g.expectNone(t)
	})
}

// TestKillOfThisProcess: a process in the group does not kill itself.
func TestKillOfThisProcess(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		output, err := again(t, "kill", "echo $$ >"+g.path+"/cgroup.procs; exec \"$0\"", g.parent.Path(), " ", g.job).CombinedOutput()
		if !strings.Contains(string(output), "this process is in it") {
			t.Errorf("%v, output %q", err, output)
		}
	})
}

// TestBoundOfKill: the processes of a frozen parent group cannot die. The error names
// them when the time has passed, and they die when the group is thawed.
func TestBoundOfKill(t *testing.T) {
	t.Parallel()
	above := newGroup(t, variant{cgroup.V1, false})
	command := again(t, "sleeper", "echo 0 >"+above.path+"/tasks; exec \"$0\"", newJob())
	output, err := command.StdoutPipe()
	kit.Must(t, err)
	kit.Must(t, command.Start())
	var sleeper int
	var job cgroup.Name
	if _, err := fmt.Fscan(output, &job, &sleeper); err != nil {
		t.Fatal(err)
	}
	parent := at(t, above.path)
	write(t, above.path+"/freezer.state", "FROZEN")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err = parent.Remove(ctx, job)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), fmt.Sprint([]int{sleeper})) {
		t.Errorf("error %v, want one that names %d", err, sleeper)
	}
	if _, err := os.Stat(filepath.Join(above.path, string(job))); err != nil {
		t.Error(err)
	}
	write(t, above.path+"/freezer.state", "THAWED")
	kit.Must(t, parent.Remove(soon(t), job))
	kit.Must(t, command.Process.Kill())
	_ = command.Wait()
}

// TestProcessOfAnotherNamespace: the killer does not know the id of such a process.
func TestProcessOfAnotherNamespace(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		g.start(t, "sleep 1000")
		g.await(t, 1)
		name := "kill"
		if v.slow {
			name = "kill slowly"
		}
		command := again(t, name, "\"$0\" || exit 1", g.parent.Path(), " ", g.job)
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID, Setsid: true}
		output, err := command.CombinedOutput()
		if v.kind == cgroup.V2 && !v.slow {
			if err != nil {
				t.Errorf("%v: %s", err, output)
			}
			g.expectNone(t)
			return
		}
		want := "[0]: context deadline exceeded (0 is a process in another PID namespace)"
		if v.kind == cgroup.V1 {
			want = "device or resource busy: new processes start all the time, or some are in another PID namespace"
		}
		if err == nil || !strings.Contains(string(output), want) {
			t.Errorf("%v, output %q", err, output)
		}
	})
}

// at opens the parent at a path.
func at(t *testing.T, path string) *cgroup.Parent {
	t.Helper()
	p, err := cgroup.At(path)
	kit.Must(t, err)
	t.Cleanup(p.Close)
	return p
}

// write writes to a file of a cgroup.
func write(t *testing.T, path, value string) {
	t.Helper()
	kit.Must(t, os.WriteFile(path, []byte(value), 0))
}

// freeze freezes the group at a path.
func freeze(t *testing.T, v variant, path string) {
	t.Helper()
	if v.kind == cgroup.V2 {
		write(t, path+"/cgroup.freeze", "1")
	} else {
		write(t, path+"/freezer.state", "FROZEN")
	}
}
