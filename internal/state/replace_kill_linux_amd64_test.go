package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestReplaceKilled: a stage is killed before each system call by which it replaces a
// credential. Whoever looks then finds the old one or the new one, whole, and knows the
// secrets of both if the job may have them; another Replace goes through; and in the
// end nothing is left, of what the job has linked aside neither.
func TestReplaceKilled(t *testing.T) {
	if p, ok := child(); ok {
		part(t, p)
		return
	}
	binary := kit.Executable(t)
	for _, user := range []string{"", "another"} {
		t.Run("user"+user, func(t *testing.T) {
			if user != "" {
				kit.NeedRoot(t, "a job of another user")
			}
			t.Setenv(killedPart, "replace")
			t.Setenv(killedUser, user)
			points := 0
			for replaceKilledAt(t, binary, points+1) && !t.Failed() {
				points++
			}
			t.Logf("killed at %d points", points)
			if points < 20 {
				t.Errorf("only %d points", points)
			}
		})
	}
}

// replaceKilledAt kills a Replace before its n-th change, looks at what is left, and
// returns whether there are so many.
func replaceKilledAt(t *testing.T, binary string, n int) bool {
	t.Helper()
	p, runner := newPlace(t), startRunner(t)
	t.Setenv(userPlace, p.dir)
	t.Setenv(runnerID, fmt.Sprint(runner.Process.Pid))
	makeJob(t, p, newLease(t, runner.Process.Pid))
	p.linkAside(t, "before")
	struck := kit.StrikeBefore(t, binary, n, func(child int) { kit.Must(t, syscall.Kill(child, syscall.SIGKILL)) })
	p.checkWhole(t)
	p.linkAside(t, "killed")
	f, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	kit.Must(t, replace(f, fresh(2)))
	f.Close()
	p.checkWhole(t)
	if env, err := os.ReadFile(p.env(7)); err != nil || string(env) != p.envOf(fresh(2)) {
		t.Errorf("point %d: after another Replace the job reads %q, %v", n, env, err)
	}
	p.linkAside(t, "after")
	die(runner)
	if _, err := state.SweepAt(p.root, 2*time.Minute); err != nil {
		t.Errorf("point %d: Sweep: %v", n, err)
	}
	p.gone(t, 7)
	return struck
}

// linkAside gives second names to all files that the job has.
func (p place) linkAside(t *testing.T, name string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.secret(7), ".*"))
	kit.Must(t, err)
	if len(files) < 2 {
		t.Errorf("the job has only %v", files)
	}
	for i, file := range files {
		kit.Must(t, os.Link(file, filepath.Join(p.dir, fmt.Sprint(name, i))))
	}
}
