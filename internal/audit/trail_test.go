package audit_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/version"
	"rolecall/test/kit"
)

// newTrail returns the trail to a log, as a record keeps it.
func newTrail(t *testing.T, path string, job audit.Event) audit.Trail {
	t.Helper()
	trail, err := audit.NewTrail(path, job)
	kit.Must(t, err)
	text, err := json.Marshal(trail)
	kit.Must(t, err)
	var kept audit.Trail
	kit.Must(t, json.Unmarshal(text, &kept))
	return kept
}

// TestTrail: a line has what is known of the job, and what the program adds.
func TestTrail(t *testing.T) {
	t.Parallel()
	log, before := newLog(t), time.Now().Truncate(time.Millisecond)
	trail := newTrail(t, log.Path, audit.Event{Program: "prepare", JobID: "7", Tenant: "alpha", Version: "0.0.1", Policy: "d41d"})
	kit.Must(t, trail.Tell(audit.Masked, "run", func(e *audit.Event) { e.Count = 3 }))
	got := decode(t, content(t, log))[0]
	if got.Host == "" || got.Time.Before(before) || trail.Began.Before(before) || trail.Began.After(got.Time) {
		t.Errorf("the job began at %v: %+v", trail.Began, got)
	}
	got.Host, got.BootID, got.Time = "", "", time.Time{}
	if diff := cmp.Diff(audit.Event{Event: audit.Masked, Program: "run", Version: version.Version, Count: 3, JobID: "7", Tenant: "alpha", Policy: "d41d"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestNoTrail: without a log nothing is kept and nothing is written.
func TestNoTrail(t *testing.T) {
	t.Parallel()
	trail := newTrail(t, "", audit.Event{JobID: "7"})
	if text, err := json.Marshal(trail); err != nil || string(text) != "{}" {
		t.Errorf("kept: %s, %v", text, err)
	}
	kit.Must(t, trail.Tell(audit.Masked, "run", func(*audit.Event) { t.Error("a line is made") }))
}

// TestTrailIsSmall: a record can keep whatever a job has.
func TestTrailIsSmall(t *testing.T) {
	t.Parallel()
	var e audit.Event
	fill(&e, strings.Repeat("\x00<", 1<<16))
	e.Places, e.BootID, e.Store = nil, "", "" // they are of a line
	if text := newTrail(t, "/log", e).Job; len(text) > 16<<10 {
		t.Errorf("%d bytes", len(text))
	}
}

// TestTrailFails: a broken record, a folder that others can write to and a log that is
// locked are errors, and soon.
func TestTrailFails(t *testing.T) {
	t.Parallel()
	log := newLog(t)
	file(t, log.Path)
	none := func(*audit.Event) {}
	err := audit.Trail{Path: log.Path, Job: json.RawMessage(`"x"`)}.Tell(audit.Ended, "sweep", none)
	if err == nil || !strings.Contains(err.Error(), "audit log "+log.Path+": no line about ended of this job, since its record is broken") {
		t.Errorf("a broken record: %v", err)
	}
	f, err := os.Open(log.Path)
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, unix.Flock(int(f.Fd()), unix.LOCK_SH))
	begin := time.Now()
	err = newTrail(t, log.Path, audit.Event{}).Tell(audit.Ended, "sweep", none)
	if took := time.Since(begin); fault.CodeOf(err) != fault.LogLocked || took > 1500*time.Millisecond {
		t.Errorf("a locked log: %v after %v", err, took)
	}
	kit.Must(t, os.Chmod(log.Path, 0o622))
	if err := newTrail(t, log.Path, audit.Event{}).Tell(audit.Ended, "sweep", none); fault.CodeOf(err) != fault.BadAuditLog || errors.Is(err, os.ErrNotExist) {
		t.Errorf("an open log: %v", err)
	}
	if content(t, log) != "" {
		t.Errorf("the log has %q", content(t, log))
	}
}
