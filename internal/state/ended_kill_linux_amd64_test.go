package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"rolecall/internal/audit"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// endOnce ends the job in the way that the part names.
func endOnce(t *testing.T, p place, part string) {
	t.Helper()
	var err error
	switch part {
	case "finish":
		_, err = state.Finish(t.Context(), p.root, key(7), nil, telling(t, audit.Ended))
	case "sweep":
		_, err = state.Sweep(t.Context(), p.root, nil, telling(t, audit.Removed))
	default:
		err = state.Clear(p.root, key(7), telling(t, audit.Removed))
	}
	kit.Must(t, err)
}

// TestEndKilled: who ends a job is killed before each system call. Then another process ends
// it, and the audit log has one line about its end.
func TestEndKilled(t *testing.T) {
	if p, ok := child(); ok {
		part(t, p)
		return
	}
	binary := kit.Executable(t)
	for part, least := range map[string]int{"finish": 60, "sweep": 60, "clear": 60} {
		t.Run(part, func(t *testing.T) {
			t.Setenv(killedPart, part)
			points := 0
			for endKilledAt(t, binary, points+1) && !t.Failed() {
				points++
			}
			t.Logf("killed at %d points", points)
			if points < least {
				t.Errorf("%d points, want %d", points, least)
			}
		})
	}
}

// endKilledAt kills the end of a job before its n-th change, lets another process end the job,
// and returns whether there are so many changes.
func endKilledAt(t *testing.T, binary string, n int) bool {
	t.Helper()
	p, runner := newPlace(t), startRunner(t)
	t.Setenv(userPlace, p.dir)
	t.Setenv(runnerID, fmt.Sprint(runner.Process.Pid))
	lease := newLease(t, runner.Process.Pid)
	path := p.audited(t, "alpha", lease)
	f := openJob(t, p)
	kit.Must(t, f.Write(withFile()))
	f.Close()
	die(runner)
	struck := kit.StrikeBefore(t, binary, n, func(child int) { kit.Must(t, syscall.Kill(child, syscall.SIGKILL)) })
	if n%2 == 0 {
		_, err := state.Finish(t.Context(), p.root, key(7), nil, telling(t, audit.Ended))
		kit.Must(t, err)
	} else {
		_, err := state.Sweep(t.Context(), p.root, nil, telling(t, audit.Removed))
		kit.Must(t, err)
	}
	p.noSecret(t)
	if got := ends(t, path); len(got) != 1 {
		left, _ := filepath.Glob(filepath.Join(p.folder(7), "*"))
		t.Errorf("point %d: the audit log has %q; left %v", n, got, left)
	}
	_, err := os.Stat(p.linkFolder(7))
	if !os.IsNotExist(err) {
		t.Errorf("point %d: the link is left: %v", n, err)
	}
	return struck
}
