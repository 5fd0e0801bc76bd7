package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestJobsNow: the jobs of a root are those that have a folder, and live are those that are
// prepared and whose lease holds. The processes that have the folder locked are named.
func TestJobsNow(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	if jobs, err := state.Jobs(p.root); err != nil || len(jobs) > 0 {
		t.Errorf("without a root: %v, %v", jobs, err)
	}
	p.leased(t, 1, newLease(t, os.Getpid()))
	p.leased(t, 2, deadLease(t))
	p.leased(t, 3, newLease(t, os.Getpid()))
	kit.Must(t, os.Rename(filepath.Join(p.folder(3), "job.json"), filepath.Join(p.folder(3), "removed.json")))
	kit.Must(t, os.Mkdir(p.folder(4), 0o700))
	kit.Must(t, os.Mkdir(filepath.Join(p.root, "keys"), 0o700))
	kit.Must(t, os.Symlink(p.folder(1), filepath.Join(p.root, "5")))
	f, err := state.Open(p.root, key(1))
	kit.Must(t, err)
	defer f.Close()
	jobs, err := state.Jobs(p.root)
	kit.Must(t, err)
	slices.SortFunc(jobs, func(a, b state.Job) int { return int(a.ID - b.ID) })
	got := ""
	for _, j := range jobs {
		got += fmt.Sprintf("%s %s %v %v; ", j.ID, j.Record.Tenant, j.Live, slices.Contains(j.Holders, os.Getpid()))
	}
	if got != "1 alpha true true; 2 alpha false false; 3 alpha false false; 4  false false; " {
		t.Errorf("%q", got)
	}
}
