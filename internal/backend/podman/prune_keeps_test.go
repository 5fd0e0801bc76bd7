package podman_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend/podman"
	"rolecall/internal/fault"
	"rolecall/internal/retention"
	"rolecall/test/kit"
)

// TestPruneUnknown: what is not known keeps the images, and is an error.
func TestPruneUnknown(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	r := newRegistry(t)
	push(t, r, "ci/a:1", 1<<20)
	push(t, r, "ci/b:1", 1<<20)
	other := pulled(t, r, nil, 4751, "ci/b:1")
	id := other.uses()[0]
	kit.Must(t, other.reap())
	p := pulled(t, r, other, 4752, "ci/a:1")
	file := podman.DirOf(p.data) + "/container.json"
	whole, err := os.ReadFile(file)
	kit.Must(t, err)
	note, err := os.ReadFile(p.note())
	kit.Must(t, err)
	for name, change := range map[string]func(){
		"a broken file":       func() { kit.Must(t, os.WriteFile(file, whole[:len(whole)/2], 0o600)) },
		"an older file":       func() { kit.Must(t, os.WriteFile(file, []byte(`{"id":"x","image":"y"}`), 0o600)) },
		"a file with nothing": func() { kit.Must(t, os.WriteFile(file, nil, 0o600)) },
		"a broken note":       func() { kit.Must(t, os.WriteFile(p.note(), note[:len(note)/2], 0o600)) },
		"no place in a note":  func() { kit.Must(t, os.WriteFile(p.note(), []byte(`{"boot":"x","data":{}}`), 0o600)) },
	} {
		change()
		done, err := p.prune(retention.Order{Rule: unused(), Wait: time.Minute})
		if err == nil || !strings.Contains(err.Error(), "is not known: ") || len(done) > 0 || !p.has(id) {
			t.Errorf("%s: %+v, %v", name, done, err)
		}
		kit.Must(t, os.WriteFile(file, whole, 0o600))
		kit.Must(t, os.WriteFile(p.note(), note, 0o600))
	}
	kit.Must(t, os.Remove(p.store()+".used/"+id))
	done, err := p.prune(retention.Order{Rule: unused(), Wait: time.Minute})
	expectNames(t, "nobody knows when it was used", done, err)
	done, err = p.prune(retention.Order{Rule: unused(), Wait: time.Minute})
	expectNames(t, "it is known since then", done, err, "b:1")
	database := p.store() + "/libpod/bolt_state.db"
	info, err := os.Stat(database)
	kit.Must(t, err)
	kit.Must(t, os.Truncate(database, info.Size()/2))
	done, err = p.prune(retention.Order{Rule: unused(), Wait: time.Minute})
	if fault.CodeOf(err) != fault.Engine || len(done) > 0 || !strings.Contains(err.Error(), "podman cannot read it") {
		t.Errorf("a store that cannot be read: %+v, %v", done, err)
	}
}

// TestPruneGone: the store of a tenant that the policy file does not have any more goes as a
// whole, with all that is noted of it, and not while a job uses it.
func TestPruneGone(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	r := newRegistry(t)
	push(t, r, "ci/a:1", 1<<20)
	p := pulled(t, r, nil, 4753, "ci/a:1")
	kit.Must(t, os.MkdirAll(p.images()+"/other/data", 0o700)) // it is nobody's store
	kit.Must(t, os.Chown(p.images()+"/other/data", 33, 33))
	order := retention.Order{Wanted: []string{"beta/protected"}, Wait: time.Minute}
	if done, err := p.prune(order); err == nil || !strings.Contains(err.Error(), "a job uses it") || len(done) > 0 {
		t.Errorf("with a job: %+v, %v", done, err)
	}
	kit.Must(t, p.reap())
	order.DryRun = true
	done, err := p.prune(order)
	expectNames(t, "a dry run", done, err, "a:1")
	if p.layers() != 1 {
		t.Error("a dry run has removed a store")
	}
	order.DryRun = false
	placed := newJobIn(t, p.dir, unique(4755), pulls(r.Name("ci/a:1"))).from(r) // it has not chosen an image yet
	done, err = p.prune(order)
	expectNames(t, "no job", done, err, "a:1")
	if !done[0].Whole || done[0].Freed < 1<<20 {
		t.Errorf("%+v", done)
	}
	left, err := filepath.Glob(p.images() + "/[^.]*")
	more, moreErr := filepath.Glob(p.images() + "/alpha/*")
	if err != nil || moreErr != nil || len(more) > 0 || !slices.Equal(left, []string{p.images() + "/alpha", p.images() + "/other"}) {
		t.Errorf("left are %q and %q, %v", left, more, err)
	}
	p.checkNothing("a store")
	kit.Must(t, placed.build())
	kit.Must(t, placed.reap())
}
