package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// ends returns the lines about the end of a job in the audit log at path: event and code.
func ends(t *testing.T, path string) (lines []string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	kit.Must(t, err)
	auditlog.Check(t, content)
	for line := range strings.Lines(string(content)) {
		_, event, _ := strings.Cut(line, `"event":"`)
		event, _, _ = strings.Cut(event, `"`)
		_, code, _ := strings.Cut(line, `"code":"`)
		code, _, _ = strings.Cut(code, `"`)
		lines = append(lines, strings.TrimSpace(event+" "+code))
	}
	return lines
}

// telling returns a Tell that writes to the audit log.
func telling(t *testing.T, kind audit.Kind) state.Tell {
	return func(e state.Ended, err error) {
		if problem := e.Tell(kind, map[audit.Kind]string{audit.Ended: "cleanup", audit.Removed: "sweep"}[kind], err); problem != nil {
			t.Error(problem)
		}
	}
}

// checkEnds checks the lines about the end of the job.
func checkEnds(t *testing.T, path, want string) {
	t.Helper()
	if got := strings.Join(ends(t, path), ", "); got != want {
		t.Errorf("the audit log has %q, want %q", got, want)
	}
}

// withBackend gives the record of job 7 a backend, so that it is reaped.
func (p place) withBackend(t *testing.T) {
	t.Helper()
	path := filepath.Join(p.folder(7), "job.json")
	content, err := os.ReadFile(path)
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(path, []byte(strings.Replace(string(content), "{", `{"backend":"toy",`, 1)), 0o600))
}

// TestSweepMeetsFinish: a Sweep passes over a job that a Finish ends, whose runner is dead.
func TestSweepMeetsFinish(t *testing.T) {
	p := newPlace(t)
	path := p.audited(t, "alpha", deadLease(t))
	p.withBackend(t)
	swept := 0
	_, err := state.Finish(t.Context(), p.root, key(7), func(context.Context, string, json.RawMessage, job.ID) error {
		got, err := state.Sweep(t.Context(), p.root, noReap(t), telling(t, audit.Removed))
		swept += len(got)
		return err
	}, telling(t, audit.Ended))
	kit.Must(t, err)
	p.gone(t, 7)
	if checkEnds(t, path, "ended"); swept > 0 {
		t.Errorf("a Sweep removed %d jobs", swept)
	}
}

// TestFinishMeetsSweep: a Finish waits for a Sweep that ends the job, and says nothing then.
func TestFinishMeetsSweep(t *testing.T) {
	p := newPlace(t)
	path := p.audited(t, "alpha", deadLease(t))
	p.withBackend(t)
	finished := make(chan state.Ended, 1)
	_, err := state.Sweep(t.Context(), p.root, func(context.Context, string, json.RawMessage, job.ID) error {
		go func() {
			ended, err := state.Finish(t.Context(), p.root, key(7), noReap(t), telling(t, audit.Ended))
			if err != nil {
				t.Error(err)
			}
			finished <- ended
		}()
		select {
		case ended := <-finished:
			t.Error("Finish has not waited")
			finished <- ended
		case <-time.After(100 * time.Millisecond): // it waits as long as this takes
		}
		return nil
	}, telling(t, audit.Removed))
	kit.Must(t, err)
	if ended := <-finished; ended.ID != 0 {
		t.Errorf("Finish claims %+v", ended)
	}
	p.gone(t, 7)
	checkEnds(t, path, "removed")
}

// TestTurnHung: where the process that ends a job does not go on, others shred the credentials after half
// a minute and leave the record to it; when it is dead the next Sweep tells of the end.
func TestTurnHung(t *testing.T) {
	p := newPlace(t)
	path := p.audited(t, "alpha", deadLease(t))
	kit.Must(t, os.WriteFile(p.issued(7), []byte(secret), 0o600))
	kit.Must(t, os.Rename(filepath.Join(p.folder(7), "job.json"), filepath.Join(p.folder(7), "removed.json")))
	held, err := os.Open(filepath.Join(p.folder(7), "removed.json"))
	kit.Must(t, err)
	kit.Must(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	p.sweptAt(t, 25*time.Second)
	if _, err := os.Stat(p.issued(7)); err != nil {
		t.Errorf("a Sweep did not pass over the job: %v", err)
	}
	p.sweptAt(t, 35*time.Second)
	p.noSecret(t)
	kit.Must(t, os.WriteFile(p.issued(7), []byte(secret), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = state.Finish(ctx, p.root, key(7), nil, telling(t, audit.Ended))
	wantError(t, "Finish", err, "the end of job 7 does not go on: process [")
	p.noSecret(t)
	checkEnds(t, path, "")
	kit.Must(t, held.Close())
	_, err = state.Sweep(t.Context(), p.root, nil, telling(t, audit.Removed))
	kit.Must(t, err)
	p.gone(t, 7)
	checkEnds(t, path, "removed")
}

// TestEndedRotated: a line that a process wrote before it was killed is found in a log that
// was renamed since, and in one that was emptied it is not; the line of another try is none.
func TestEndedRotated(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(path string) error
		want   string
	}{
		"the same":  {func(string) error { return nil }, "ended"},
		"renamed":   {func(path string) error { return os.Rename(path, path+".1") }, ""},
		"emptied":   {func(path string) error { return os.Truncate(path, 0) }, "removed"},
		"not told":  {func(path string) error { return os.Remove(path) }, "removed"},
		"other job": {func(path string) error { return rewrite(path, `"job_id":"7"`, `"job_id":"8"`) }, "ended, removed"},
		"left": {func(path string) error {
			return rewrite(path, `"tenant"`, `"code":"RC312","side":"runner-admin","tenant"`)
		}, "ended RC312, removed"},
		"other try": {func(path string) error { return rewrite(path, `"began":"2`, `"began":"3`) }, "ended, removed"},
	} {
		p := newPlace(t)
		path := p.audited(t, "alpha", deadLease(t))
		kit.Must(t, os.WriteFile(path, nil, 0o600))
		kept := filepath.Join(p.dir, "kept")
		_, err := state.Finish(t.Context(), p.root, key(7), nil, func(e state.Ended, _ error) {
			telling(t, audit.Ended)(e, nil)
			kit.Must(t, os.CopyFS(kept, os.DirFS(p.folder(7)))) // as a kill leaves it
		})
		kit.Must(t, err)
		kit.Must(t, os.Rename(kept, p.folder(7)))
		kit.Must(t, os.Chmod(p.folder(7), 0o700))
		kit.Must(t, test.change(path))
		if _, err = state.Sweep(t.Context(), p.root, nil, telling(t, audit.Removed)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.gone(t, 7)
		if got := strings.Join(ends(t, path), ", "); got != test.want {
			t.Errorf("%s: the audit log has %q, want %q", name, got, test.want)
		}
	}
}

// rewrite replaces a text in a file.
func rewrite(path, from, to string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.Replace(string(content), from, to, 1)), 0o600)
}
