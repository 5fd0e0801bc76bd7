package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// What the child process is to do, and the id of its runner.
const (
	killedPart = "STORE_KILLED_PART"
	killedUser = "STORE_KILLED_USER"
	runnerID   = "STORE_RUNNER_ID"
)

// part is what a stage does that is killed, on a thread that its parent traces.
func part(t *testing.T, p place) {
	var pid int
	_, err := fmt.Sscan(os.Getenv(runnerID), &pid)
	kit.Must(t, err)
	lease := state.Lease{}
	if unix.Kill(pid, 0) == nil {
		lease = newLease(t, pid)
	}
	kit.Traced(t)
	switch name := os.Getenv(killedPart); name {
	case "remove":
		kit.Must(t, state.Remove(p.root, key(7)))
	case "replace":
		replaceOnce(t, p)
	case "ledger":
		kit.Must(t, openJob(t, p).Enter(entering(8, time.Hour)))
	case "finish", "sweep", "clear":
		endOnce(t, p, name)
	default:
		makeJob(t, p, lease)
	}
}

// makeJob makes a job with its env file and another one, of another user if that is asked for.
func makeJob(t *testing.T, p place, lease state.Lease) {
	t.Helper()
	record := state.Record{Tenant: "alpha", Lease: lease}
	if os.Getenv(killedUser) != "" {
		record.Owner = &state.Owner{UID: jobUID, GID: jobUID}
	}
	f, err := state.Create(p.root, key(7), record, p.builds)
	kit.Must(t, err)
	kit.Must(t, f.Write(withFile()))
	f.Close()
}

// wholeOrGone checks that a job is as it was, or that no secret and no link is left.
func (p place) wholeOrGone(t *testing.T, n int) {
	t.Helper()
	f, err := state.Open(p.root, key(7))
	if err == nil {
		defer f.Close()
		_, err = f.Read()
		if err != nil {
			t.Errorf("point %d: half of it is left after a Sweep: %v", n, modes(t, p.dir))
		}
		return
	}
	if _, err := os.Lstat(p.linkFolder(7)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("point %d: the link is left (%v)", n, err)
	}
	p.noSecret(t)
}

// TestKilled: a stage is killed before each system call by which it makes or removes
// a job. After its runner has died too, one Sweep leaves nothing; a Remove that had
// begun is finished before that. And whatever it left, a new attempt succeeds. Where
// the runner alone dies at that point, the stage itself leaves no credentials.
func TestKilled(t *testing.T) {
	if p, ok := child(); ok {
		part(t, p)
		return
	}
	binary := kit.Executable(t)
	least := map[string]int{"make": 37, "makeanother": 33, "remove": 52, "removeanother": 42, "orphan": 37, "orphananother": 33}
	for _, part := range []string{"make", "remove", "orphan"} {
		for _, user := range []string{"", "another"} {
			t.Run(part+user, func(t *testing.T) {
				if user != "" {
					kit.NeedRoot(t, "a job of another user")
				}
				t.Setenv(killedPart, part)
				t.Setenv(killedUser, user)
				points := 0
				for killedAt(t, binary, part, points+1) && !t.Failed() {
					points++
				}
				t.Logf("killed at %d points", points)
				if want := least[part+user]; points < want {
					t.Errorf("%d points, want %d: where a stage makes fewer changes on purpose, correct this number", points, want)
				}
			})
		}
	}
}

// killedAt kills a stage before its n-th change, looks at what is left, and returns
// whether there are so many.
func killedAt(t *testing.T, binary, part string, n int) bool {
	t.Helper()
	p, runner := newPlace(t), startRunner(t)
	p.root = filepath.Join(p.dir, "root")
	t.Setenv(userPlace, p.dir)
	t.Setenv(runnerID, fmt.Sprint(runner.Process.Pid))
	lease := newLease(t, runner.Process.Pid)
	if part == "remove" {
		makeJob(t, p, lease)
	}
	strike := func(child int) { kit.Must(t, syscall.Kill(child, syscall.SIGKILL)) }
	if part == "orphan" {
		strike = func(int) { die(runner) }
	}
	struck := kit.StrikeBefore(t, binary, n, strike)
	if part == "orphan" && struck {
		p.noSecret(t)
	}
	if part == "remove" {
		_, err := state.Sweep(t.Context(), p.root, noReap(t), nil)
		kit.Must(t, err)
		p.wholeOrGone(t, n)
	}
	if n%2 == 0 && part != "orphan" { // the runner lives, and tries again
		makeJob(t, p, lease)
	}
	die(runner)
	if _, err := state.SweepAt(p.root, 2*time.Minute); err != nil {
		t.Errorf("point %d: Sweep: %v", n, err)
	}
	p.gone(t, 7)
	if left, err := os.ReadDir(p.root); len(left) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("point %d: left %v, %v", n, left, err)
	}
	return struck
}
