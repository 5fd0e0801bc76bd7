package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/handover"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// pipeline is the scope of the parcels of these tests.
func pipeline() handover.Scope {
	return handover.Scope{Issuer: "https://gitlab.example.com", Tenant: "alpha", Project: "42", Pipeline: "9", Class: "protected"}
}

// parcel is what a job hands over for an hour: A with that value.
func parcel(job string, id int64, value string) handover.Parcel {
	now := time.Now()
	return handover.Parcel{Scope: pipeline(), Job: job, JobID: id, At: now, Until: now.Add(time.Hour), Values: []handover.Value{{Name: "A", Value: mask.NewSecret(value), Secret: true}}}
}

// put hands over parcels on the host of a place.
func (p place) put(t *testing.T, parcels ...handover.Parcel) {
	t.Helper()
	for _, one := range parcels {
		kit.Must(t, state.Local{}.Put(t.Context(), handover.Way{Root: p.root}, one))
	}
}

// handed returns what was handed over, as JOB ID NAME=VALUE, and what is broken.
func (p place) handed(t *testing.T, s handover.Scope) (texts, broken []string) {
	t.Helper()
	l, err := state.Local{}.List(t.Context(), handover.Way{Root: p.root}, s)
	kit.Must(t, err)
	for _, one := range l.Parcels {
		text := fmt.Sprintf("%s %d", one.Job, one.JobID)
		for _, v := range one.Values {
			text += " " + v.Name + "=" + v.Value.Reveal()
		}
		texts = append(texts, text)
	}
	return texts, l.Broken
}

// checkHanded checks what was handed over, in any order.
func (p place) checkHanded(t *testing.T, name string, want ...string) {
	t.Helper()
	got, broken := p.handed(t, pipeline())
	seen := map[string]bool{}
	for _, text := range got {
		seen[text] = true
	}
	for _, text := range want {
		if !seen[text] || len(got) != len(want) || len(broken) > 0 {
			t.Errorf("%s: %q, broken %q, want %q", name, got, broken, want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

// files returns the files of what was handed over.
func (p place) files(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(p.root, "handover/*/*/*"))
	kit.Must(t, err)
	return found
}

// newShelf returns a place with a root.
func newShelf(t *testing.T) place {
	t.Helper()
	p := newPlace(t)
	kit.Must(t, os.MkdirAll(p.root, 0o700))
	return p
}

// TestHanded: each job of a scope has one parcel, which a later try of it replaces and an earlier one
// does not; the file is root's alone, and nothing of the old content is left.
func TestHanded(t *testing.T) {
	t.Parallel()
	p := newShelf(t)
	p.checkHanded(t, "nothing")
	p.put(t, parcel("one", 3, "value-of-three"), parcel("two: [a]", 4, "value-of-four"))
	old := p.files(t)[0]
	kit.Must(t, os.Link(old, filepath.Join(p.dir, "old")))
	p.put(t, parcel("one", 7, "value-of-seven"), parcel("two: [a]", 8, "value-of-eight"))
	p.put(t, parcel("one", 5, "value-of-five"))
	p.checkHanded(t, "replaced", "one 7 A=value-of-seven", "two: [a] 8 A=value-of-eight")
	if content, _ := os.ReadFile(filepath.Join(p.dir, "old")); strings.Trim(string(content), "\x00") != "" {
		t.Errorf("the old file has %q", content)
	}
	for _, path := range append(p.files(t), filepath.Join(p.root, "handover")) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	other := pipeline()
	other.Pipeline = "10"
	if got, _ := p.handed(t, other); len(got) > 0 {
		t.Errorf("another pipeline has %q", got)
	}
}

// TestHandedAtOnce: what jobs hand over at once is all there, and whole.
func TestHandedAtOnce(t *testing.T) {
	t.Parallel()
	p := newShelf(t)
	var want []string
	var all sync.WaitGroup
	for i := range 16 {
		want = append(want, fmt.Sprintf("job %d %d A=%s", i/2, i/2*2+2, strings.Repeat("x", 10)))
		all.Go(func() { p.put(t, parcel(fmt.Sprintf("job %d", i/2), int64(i+1), strings.Repeat("x", 10))) })
		all.Go(func() { p.handed(t, pipeline()) })
	}
	all.Wait()
	got, broken := p.handed(t, pipeline())
	if len(got) != 8 || len(broken) > 0 {
		t.Errorf("%q, broken %q", got, broken)
	}
	for _, text := range got {
		if !strings.Contains(strings.Join(want, "\n"), text) {
			t.Errorf("%q", text)
		}
	}
}

// TestHandedMoved: a file that was moved to another scope, renamed or cut is not used, and said.
func TestHandedMoved(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, path, other string){
		"moved": func(t *testing.T, path, other string) {
			t.Helper()
			kit.Must(t, os.Rename(path, filepath.Join(filepath.Dir(other), filepath.Base(path))))
		},
		"renamed": func(t *testing.T, _, other string) {
			t.Helper()
			kit.Must(t, os.Rename(other, filepath.Join(filepath.Dir(other), "x.parcel")))
		},
		"cut": func(t *testing.T, _, other string) { t.Helper(); kit.Must(t, os.Truncate(other, 50)) },
		"a link": func(t *testing.T, path, other string) {
			t.Helper()
			kit.Must(t, os.Remove(other))
			kit.Must(t, os.Symlink(path, other))
		},
	} {
		p := newShelf(t)
		p.put(t, parcel("one", 3, "value-of-three"))
		path := p.files(t)[0]
		far := parcel("two", 4, "value-of-four")
		far.Scope.Class = "unprotected"
		p.put(t, far)
		other := p.files(t)[0]
		if other == path {
			other = p.files(t)[1]
		}
		change(t, path, other)
		got, broken := p.handed(t, far.Scope)
		if len(broken) != 1 || strings.Contains(strings.Join(append(got, broken...), " "), "value-of-three") {
			t.Errorf("%s: %q, broken %q", name, got, broken)
		}
	}
}

// TestHandedExpires: the sweep overwrites values that have expired, keeps their names for as long
// again, and then leaves nothing.
func TestHandedExpires(t *testing.T) {
	t.Parallel()
	p := newShelf(t)
	p.put(t, parcel("one", 3, "value-of-three"))
	kit.Must(t, os.Link(p.files(t)[0], filepath.Join(p.dir, "old")))
	for _, step := range []struct {
		later time.Duration
		want  []string
	}{{50 * time.Minute, []string{"one 3 A=value-of-three"}}, {61 * time.Minute, []string{"one 3 A="}}, {2 * time.Hour, []string{"one 3 A="}}, {126 * time.Minute, nil}} {
		_, err := state.SweepAt(p.root, step.later)
		kit.Must(t, err)
		p.checkHanded(t, step.later.String(), step.want...)
	}
	if content, _ := os.ReadFile(filepath.Join(p.dir, "old")); strings.Trim(string(content), "\x00") != "" {
		t.Errorf("the old file has %q", content)
	}
	kit.Must(t, os.WriteFile(filepath.Join(p.root, "x"), nil, 0o600))
	if entries, _ := filepath.Glob(filepath.Join(p.root, "handover/*")); len(entries) > 0 {
		t.Errorf("left %q", entries)
	}
}

// TestHandedOnFullDisk: on a tmpfs that is almost full nothing is handed over, what was stays whole,
// and no part of the new is left.
func TestHandedOnFullDisk(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	p := newPlace(t)
	kit.Mount(t, p.root, "size=1m", 0)
	p.put(t, parcel("one", 3, "value-of-three"))
	kit.Must(t, os.WriteFile(filepath.Join(p.root, "ballast"), make([]byte, 950<<10), 0o600))
	err := state.Local{}.Put(t.Context(), handover.Way{Root: p.root}, parcel("one", 4, "value-of-four"))
	wantError(t, "full", err, "no space left on device")
	p.checkHanded(t, "full", "one 3 A=value-of-three")
	if files := p.files(t); len(files) != 1 {
		t.Errorf("left %q", files)
	}
}
