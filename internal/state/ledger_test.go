package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// entering returns a change that adds an entry, which expires after a time.
func entering(id int64, after time.Duration) func(ledger.Ledger) ledger.Ledger {
	return func(l ledger.Ledger) ledger.Ledger {
		l.Key = []byte(strings.Repeat("k", 32))
		l.Entries = append(l.Entries, ledger.Entry{
			Expires: time.Now().Add(after).Truncate(time.Second), Job: id, Kind: "key id", Alphabet: ledger.Clear, Length: len(keyID), Text: keyID,
		})
		return l
	}
}

// jobsIn returns the jobs in the ledger.
func jobsIn(t *testing.T, f *state.Folder) []int64 {
	t.Helper()
	l, err := f.Ledger()
	kit.Must(t, err)
	var jobs []int64
	for _, e := range l.Entries {
		jobs = append(jobs, e.Job)
	}
	slices.Sort(jobs)
	return jobs
}

// TestLedger: the ledger is of all jobs, outlives them, and is closed to others.
func TestLedger(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f, other := create(t, p, 7), create(t, p, 8)
	if got := jobsIn(t, f); got != nil {
		t.Errorf("at first the ledger has %d", got)
	}
	kit.Must(t, f.Enter(entering(7, time.Hour)))
	kit.Must(t, other.Enter(entering(8, time.Hour)))
	kit.Must(t, other.Enter(entering(9, -time.Hour))) // expired, and gone with the next change
	p.remove(t, 7)
	if got := jobsIn(t, other); !slices.Equal(got, []int64{7, 8}) {
		t.Errorf("the ledger has jobs %d", got)
	}
	info, err := os.Stat(filepath.Join(p.root, "ledger"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	kit.Must(t, other.Enter(entering(10, time.Hour)))
	if text, err := os.ReadFile(filepath.Join(p.root, "ledger")); err != nil || strings.Contains(string(text), "\t9\t") || strings.Count(string(text), "\n") != 4 {
		t.Errorf("the ledger is\n%s%v", text, err)
	}
}

// TestLedgerAtOnce: of many stages that write the ledger at the same time each enters its
// job.
func TestLedgerAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const jobs = 30
	var group sync.WaitGroup
	for id := range int64(jobs) {
		f := create(t, p, job.ID(id+1))
		group.Go(func() {
			if err := f.Enter(entering(id, time.Hour)); err != nil {
				t.Errorf("job %d: %v", id, err)
			}
		})
	}
	group.Wait()
	if got := jobsIn(t, create(t, p, 100)); len(got) != jobs || len(slices.Compact(got)) != jobs {
		t.Errorf("the ledger has jobs %d", got)
	}
}

// TestLedgerBroken: nothing is issued with a ledger that is not what the driver wrote, and
// nothing is said to be missing from it. It stays for the admin.
func TestLedgerBroken(t *testing.T) {
	t.Parallel()
	good := func(p place) string { return filepath.Join(p.root, "ledger") }
	for name, test := range map[string]struct {
		change func(p place) error
		want   string
	}{
		"garbage":   {func(p place) error { return os.WriteFile(good(p), []byte("garbage"), 0o600) }, "line 1 is not that of a ledger of this version; find out who has changed it"},
		"empty":     {func(p place) error { return os.WriteFile(good(p), nil, 0o600) }, "line 1 is not that of a ledger"},
		"cut short": {func(p place) error { return os.Truncate(good(p), 120) }, "find out who has changed it and remove it"},
		"too large": {func(p place) error { return os.Truncate(good(p), 17<<20) }, "larger than 16777216 bytes"},
		"a folder":  {func(p place) error { return os.Mkdir(good(p), 0o700) }, "not a regular file"},
		"a link":    {func(p place) error { return os.Symlink("/etc/passwd", good(p)) }, "not a regular file"},
	} {
		p := newPlace(t)
		f := create(t, p, 7)
		if name == "cut short" || name == "too large" {
			kit.Must(t, f.Enter(entering(7, time.Hour)))
		}
		kit.Must(t, test.change(p))
		before, _ := os.Lstat(good(p))
		_, err := f.Ledger()
		wantError(t, name+": Ledger", err, test.want)
		wantError(t, name+": Enter", f.Enter(entering(8, time.Hour)), test.want)
		if after, err := os.Lstat(good(p)); err != nil || !os.SameFile(before, after) || before.Size() != after.Size() {
			t.Errorf("%s: the ledger was %v and is %v, %v", name, before, after, err)
		}
	}
}

// TestLedgerOfAKilledStage: what a stage that died has left does not stand in the way.
func TestLedgerOfAKilledStage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	kit.Must(t, os.WriteFile(filepath.Join(p.root, "ledger.new"), []byte("half"), 0o400))
	kit.Must(t, f.Enter(entering(7, time.Hour)))
	if got := jobsIn(t, f); !slices.Equal(got, []int64{7}) {
		t.Errorf("the ledger has jobs %d", got)
	}
	if _, err := os.Lstat(filepath.Join(p.root, "ledger.new")); err == nil {
		t.Error("ledger.new is left")
	}
}

// TestLedgerOnFullDisk: a ledger that cannot be written stays as it was.
func TestLedgerOnFullDisk(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	p := newPlace(t)
	kit.Mount(t, p.root, "size=64k", 0)
	f := create(t, p, 7)
	kit.Must(t, f.Enter(entering(7, time.Hour)))
	fill(t, p.root)
	wantError(t, "Enter", f.Enter(entering(8, time.Hour)), "no space left on device")
	if got := jobsIn(t, f); !slices.Equal(got, []int64{7}) {
		t.Errorf("the ledger has jobs %d", got)
	}
	if _, err := os.Lstat(filepath.Join(p.root, "ledger.new")); err == nil {
		t.Error("ledger.new is left")
	}
	kit.Must(t, os.Remove(filepath.Join(p.root, "filler")))
	kit.Must(t, f.Enter(entering(8, time.Hour)))
}

// TestLedgerHasNoRoom: when more is valid than the ledger may hold, no more is issued.
func TestLedgerHasNoRoom(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	kit.Must(t, f.Enter(entering(7, time.Hour)))
	many := func(l ledger.Ledger) ledger.Ledger {
		l.Entries = slices.Repeat(l.Entries, 400_000)
		return l
	}
	wantError(t, "Enter", f.Enter(many), "no room: 400000 entries have not expired")
	if got := jobsIn(t, f); len(got) != 1 {
		t.Errorf("the ledger has %d jobs", len(got))
	}
}

// TestLedgerSwept: a sweep drops what has expired from a ledger that rests, and removes
// one without entries. It does not wait for a stage that writes.
func TestLedgerSwept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		later time.Duration
		keep  bool
		want  string // jobs in the file
	}{
		"at once":         {0, true, "[7 8]"},
		"a while later":   {11 * time.Minute, true, "[8]"},
		"nothing is left": {11 * time.Minute, false, "none"},
	} {
		p := newPlace(t)
		f := create(t, p, 7)
		kit.Must(t, f.Enter(func(l ledger.Ledger) ledger.Ledger {
			if l = entering(7, -time.Hour)(l); test.keep {
				l = entering(8, time.Hour)(l)
			}
			return l
		}))
		_, err := state.SweepAt(p.root, test.later)
		kit.Must(t, err)
		got := "none"
		if text, err := os.ReadFile(filepath.Join(p.root, "ledger")); err == nil {
			l, err := ledger.Parse(text)
			kit.Must(t, err)
			var jobs []int64
			for _, e := range l.Entries {
				jobs = append(jobs, e.Job)
			}
			got = fmt.Sprint(jobs)
		}
		if got != test.want {
			t.Errorf("%s: the ledger has %s, want %s", name, got, test.want)
		}
	}
}
