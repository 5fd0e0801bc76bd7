package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// openJob opens the folder of job 7 until the test ends.
func openJob(t *testing.T, p place) *state.Folder {
	t.Helper()
	f, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	t.Cleanup(f.Close)
	return f
}

// TestLedgerKilled: a stage is killed before each system call by which it changes the
// ledger. The ledger is then the old one or the new one, and the next stage changes it.
func TestLedgerKilled(t *testing.T) {
	if p, ok := child(); ok {
		part(t, p)
		return
	}
	binary := kit.Executable(t)
	t.Setenv(killedPart, "ledger")
	points := 0
	for ledgerKilledAt(t, binary, points+1) && !t.Failed() {
		points++
	}
	if points < 8 {
		t.Errorf("only %d points", points)
	}
}

// ledgerKilledAt kills a change before its n-th system call, looks at what is left, and
// returns whether there are so many.
func ledgerKilledAt(t *testing.T, binary string, n int) bool {
	t.Helper()
	p, runner := newPlace(t), startRunner(t)
	t.Setenv(userPlace, p.dir)
	t.Setenv(runnerID, fmt.Sprint(runner.Process.Pid))
	makeJob(t, p, newLease(t, runner.Process.Pid))
	f := openJob(t, p)
	kit.Must(t, f.Enter(entering(7, time.Hour)))
	struck := kit.StrikeBefore(t, binary, n, func(child int) { kit.Must(t, syscall.Kill(child, syscall.SIGKILL)) })
	if got := jobsIn(t, f); !slices.Equal(got, []int64{7}) && !slices.Equal(got, []int64{7, 8}) {
		t.Errorf("point %d: the ledger has jobs %d", n, got)
	}
	kit.Must(t, f.Enter(entering(9, time.Hour)))
	if got := jobsIn(t, f); got[0] != 7 || got[len(got)-1] != 9 {
		t.Errorf("point %d: the ledger then has jobs %d", n, got)
	}
	if _, err := os.Lstat(filepath.Join(p.root, "ledger.new")); err == nil {
		t.Errorf("point %d: ledger.new is left", n)
	}
	die(runner)
	return struck
}
