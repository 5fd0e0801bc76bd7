package state_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// errAway is that of a server that does not answer.
var errAway = errors.New("the server does not answer")

// handle is what revokes a credential that lives for a time.
func handle(life time.Duration) creds.Handle {
	return creds.Handle{Provider: "vault", Name: "db", Terms: mask.NewSecret(`{"token":"` + token + `"}`), Until: time.Now().Add(life)}
}

// revoked revokes what is held of a job, or of all, with that result, and returns what was asked.
func (p place) revoked(t *testing.T, key job.Key, result error) []state.Held {
	t.Helper()
	var asked []state.Held
	kit.Must(t, state.Revoke(t.Context(), p.root, key, func(_ context.Context, h state.Held) error {
		asked = append(asked, h)
		return result
	}))
	return asked
}

// held returns the names of the files of what is held.
func (p place) held(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(p.root, "revocations", "*"))
	kit.Must(t, err)
	return names
}

// TestHeld: what revokes a credential is kept until that is done, also beyond the job's folder,
// and reads back whole.
func TestHeld(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, job.Key{ID: 7, Proof: "p"}, state.Record{Tenant: "alpha", Audit: audit.Trail{Path: "/log"}}, p.builds)
	kit.Must(t, err)
	defer f.Close()
	of := job.Key{ID: 7, Proof: "p"}
	if state.Holds(p.root, of) {
		t.Error("something is held before Hold")
	}
	want := handle(time.Hour)
	kit.Must(t, f.Hold(want))
	if !state.Holds(p.root, of) || !state.Holds(p.root, job.Key{}) || state.Holds(p.root, key(8)) {
		t.Error("what is held is not seen")
	}
	kit.Must(t, state.Remove(p.root, of))
	if got := p.revoked(t, job.Key{ID: 7, Proof: "other"}, nil); len(got) != 0 || len(p.held(t)) != 1 {
		t.Errorf("a job of another server: %v", got)
	}
	for i, failed := range []bool{false, true, true} {
		got := p.revoked(t, of, errAway)
		if len(got) != 1 || got[0].ID != 7 || got[0].Tenant != "alpha" || got[0].Trail.Path != "/log" || got[0].Failed != failed || len(p.held(t)) != 1 {
			t.Fatalf("try %d: %+v, %q is left", i, got, p.held(t))
		}
		h := got[0].Handle
		if h.Provider != want.Provider || h.Name != want.Name || h.Terms.Reveal() != want.Terms.Reveal() || !h.Until.Equal(want.Until) {
			t.Errorf("try %d: %+v, want %+v", i, h, want)
		}
	}
	kit.Must(t, os.Link(p.held(t)[0], filepath.Join(p.dir, "second name")))
	if got := p.revoked(t, of, nil); len(got) != 1 || len(p.held(t)) != 0 {
		t.Errorf("%+v, %q is left", got, p.held(t))
	}
	if info, err := os.Stat(filepath.Join(p.root, "revocations")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	p.gone(t, 7)
}

// TestHeldOfDead: of all jobs, only those are revoked that have ended or are dead.
func TestHeldOfDead(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	alive, ending, gone := create(t, p, 7), create(t, p, 8), create(t, p, 9)
	for _, f := range []*state.Folder{alive, ending, gone} {
		kit.Must(t, f.Hold(handle(time.Hour)))
	}
	kit.Must(t, os.Rename(filepath.Join(p.folder(8), "job.json"), filepath.Join(p.folder(8), "removed.json")))
	p.remove(t, 9)
	var ids []string
	for _, h := range p.revoked(t, job.Key{}, nil) {
		ids = append(ids, h.ID.String())
	}
	if got := strings.Join(ids, " "); got != "8 9" {
		t.Errorf("revoked of the jobs %q, want 8 and 9", got)
	}
	if left := p.held(t); len(left) != 1 || !strings.HasPrefix(filepath.Base(left[0]), "7.") {
		t.Errorf("%q is left", left)
	}
}

// TestHeldUntil: nothing is revoked that has expired, and what has no known end is tried for a
// day.
func TestHeldUntil(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	kit.Must(t, f.Hold(handle(-time.Second)))
	if got := p.revoked(t, key(7), errAway); len(got) != 0 || len(p.held(t)) != 0 {
		t.Errorf("expired: %v asked, %q left", got, p.held(t))
	}
	kit.Must(t, f.Hold(creds.Handle{Provider: "vault", Terms: mask.NewSecret("{}")}))
	got := p.revoked(t, key(7), errAway)
	if len(got) != 1 || time.Until(got[0].Handle.Until) > 24*time.Hour || time.Until(got[0].Handle.Until) < 23*time.Hour {
		t.Errorf("no known end: %+v", got)
	}
}

// TestHeldBroken: what cannot be read is said, and does not stay; what is too large is not kept.
func TestHeldBroken(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	kit.Must(t, f.Hold(handle(time.Hour)))
	kit.Must(t, os.WriteFile(p.held(t)[0], []byte(`{"terms":"`+secret), 0o600))
	none := func(context.Context, state.Held) error { return fmt.Errorf("asked") }
	wantError(t, "broken", state.Revoke(t.Context(), p.root, key(7), none), "broken; the credential lives until it expires")
	if left := p.held(t); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
	large := handle(time.Hour)
	large.Terms = mask.NewSecret(strings.Repeat("x", 1<<20))
	wantError(t, "large", f.Hold(large), "what revokes a credential of vault takes more than 1048576 bytes")
	if left := p.held(t); len(left) != 0 {
		t.Errorf("%q is left", left)
	}
	kit.Must(t, os.WriteFile(filepath.Join(p.root, "revocations", "notes"), nil, 0o600))
	if state.Holds(p.root, job.Key{}) {
		t.Error("a file of others counts")
	}
}

// TestHeldLocked: what another process revokes is left to that process.
func TestHeldLocked(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, create(t, p, 7).Hold(handle(time.Hour)))
	other, err := os.Open(p.held(t)[0])
	kit.Must(t, err)
	defer other.Close()
	kit.Must(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
	if got := p.revoked(t, key(7), nil); len(got) != 0 || len(p.held(t)) != 1 {
		t.Errorf("%v asked, %q left", got, p.held(t))
	}
	kit.Must(t, unix.Flock(int(other.Fd()), unix.LOCK_UN))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	kit.Must(t, state.Revoke(ended, p.root, key(7), func(context.Context, state.Held) error { return nil }))
	if left := p.held(t); len(left) != 1 {
		t.Errorf("without time: %q is left", left)
	}
	if got := p.revoked(t, key(7), nil); len(got) != 1 {
		t.Errorf("%v asked", got)
	}
}
