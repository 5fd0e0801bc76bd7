package podman_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/retention"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// from lets the job get the images of a registry.
func (p *placed) from(r *lab.Registry) *placed {
	p.order.Resolve = func(ctx context.Context, i backend.Image) (string, error) {
		return r.Digest(ctx, strings.TrimPrefix(i.Name, r.Address+"/"))
	}
	return p
}

// pulled is a job that is ready to run scripts in an image of a registry. Each job is on the
// host of the first one, if there is one.
func pulled(t *testing.T, r *lab.Registry, first *placed, id int, name string) *placed {
	t.Helper()
	return ready(t, r, first, id, pulls(r.Name(name)))
}

// ready is a job that is ready to run scripts.
func ready(t *testing.T, r *lab.Registry, first *placed, id int, change func(*backend.Spec)) *placed {
	t.Helper()
	dir := kit.OpenDir(t)
	if first != nil {
		dir = first.dir
	}
	kit.Must(t, os.Chmod(dir, 0o755))
	p := newJobIn(t, dir, unique(id), change).from(r)
	kit.Must(t, p.build())
	t.Cleanup(func() { _ = p.reap() })
	return p
}

// prune prunes the stores of the job's host.
func (p *placed) prune(o retention.Order) ([]retention.Store, error) {
	o.Dir = p.images()
	var done []retention.Store
	err := apart(func() (err error) {
		done, err = podman.New(host.New()).Prune(p.t.Context(), o)
		return err
	})
	return done, err
}

// unused lets all go that no job uses.
func unused() retention.Rule { return retention.Rule{Before: time.Now().Add(time.Hour)} }

// names returns what went, each by the last part of its first name, sorted.
func names(done []retention.Store) []string {
	all := []string{}
	for _, s := range done {
		for _, g := range s.Gone {
			all = append(all, filepath.Base(g.Names[0]))
		}
	}
	slices.Sort(all)
	return all
}

// store is the path of the job's store.
func (p *placed) store() string { return p.images() + "/alpha/protected" }

// ageUse makes the last use of the job's images older.
func (p *placed) ageUse(by time.Duration) {
	p.t.Helper()
	for _, id := range p.uses() {
		then := time.Now().Add(-by)
		kit.Must(p.t, os.Chtimes(p.store()+".used/"+id, then, then))
	}
}

// uses returns the ids of the images of the job.
func (p *placed) uses() []string {
	p.t.Helper()
	content, err := os.ReadFile(podman.DirOf(p.data) + "/container.json")
	kit.Must(p.t, err)
	var c struct{ Images []string }
	kit.Must(p.t, json.Unmarshal(content, &c))
	return c.Images
}

// has reports whether the store has an image.
func (p *placed) has(id string) bool {
	_, err := os.Stat(p.store() + "/overlay-images/" + id)
	return err == nil
}

// layers returns how many layers the store has on the disk.
func (p *placed) layers() int {
	layers, _ := filepath.Glob(p.store() + "/overlay/[0-9a-f]*")
	return len(layers)
}

// expectNames checks what went.
func expectNames(t *testing.T, what string, done []retention.Store, err error, want ...string) {
	t.Helper()
	if got := names(done); err != nil || !slices.Equal(got, append([]string{}, want...)) {
		t.Errorf("%s: %q and %v, want %q", what, got, err, want)
	}
}

// TestPrune: what jobs do not use goes by its age, and what they use, also for a service,
// stays. What has gone is pulled again.
func TestPrune(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	r := newRegistry(t)
	for _, name := range []string{"old", "new", "served", "used"} {
		push(t, r, "ci/"+name+":1", 1<<20)
	}
	busy := ready(t, r, nil, 4741, func(s *backend.Spec) {
		pulls(r.Name("ci/used:1"), web("80", "text", "db"))(s)
		s.Containers.Services[0].Name = r.Name("ci/served:1")
	})
	old, young := pulled(t, r, busy, 4742, "ci/old:1"), pulled(t, r, busy, 4743, "ci/new:1")
	busy.ageUse(100 * time.Hour)
	old.ageUse(3 * time.Hour)
	young.ageUse(time.Hour)
	oldID, youngID := old.uses()[0], young.uses()[0]
	kit.Must(t, old.reap())
	kit.Must(t, young.reap())

	hours := func(n int) retention.Rule {
		return retention.Rule{Before: time.Now().Add(-time.Duration(n) * time.Hour)}
	}
	done, err := busy.prune(retention.Order{Rule: hours(4), Wait: time.Minute})
	expectNames(t, "none is so old", done, err)
	done, err = busy.prune(retention.Order{Rule: hours(2), Wait: time.Minute, DryRun: true})
	expectNames(t, "a dry run", done, err, "old:1")
	if !old.has(oldID) {
		t.Error("a dry run has removed an image")
	}
	done, err = busy.prune(retention.Order{Rule: hours(2), Wait: time.Minute})
	expectNames(t, "the old one", done, err, "old:1")
	if s := done[0]; s.Name != "alpha/protected" || s.Kept != 3 || s.Freed < 1<<20 || s.Bytes < 4<<20 || s.Whole || time.Since(s.Gone[0].Used) < 2*time.Hour {
		t.Errorf("%+v", s)
	}
	if old.has(oldID) || !young.has(youngID) || busy.layers() != 3 {
		t.Errorf("the old image %v, the new one %v, %d layers", old.has(oldID), young.has(youngID), busy.layers())
	}
	done, err = busy.prune(retention.Order{Rule: unused(), Wait: time.Minute})
	expectNames(t, "all that no job uses", done, err, "new:1")
	if o := busy.run("build_script", "wget -q -O - http://db; grep -c . /etc/passwd", nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "text\n2\n") {
		t.Errorf("the job whose images stay: %+v", o)
	}
	again := pulled(t, r, busy, 4744, "ci/old:1")
	if o := again.run("build_script", "test -s /biga", nil); o.Code != 0 {
		t.Errorf("an image that was pulled again: %+v", o)
	}
	kit.Must(t, again.reap())
	kit.Must(t, busy.reap())
	done, err = busy.prune(retention.Order{Rule: unused(), Wait: time.Minute})
	expectNames(t, "no job is there", done, err, "old:1", "served:1", "used:1")
	if left := busy.layers(); left != 0 || done[0].Freed != done[0].Bytes {
		t.Errorf("%d layers are left, %+v", left, done)
	}
	busy.checkNothing("prune")
	last := pulled(t, r, busy, 4745, "ci/old:1")
	kit.Must(t, last.reap())
}

// TestPruneSize: a store is kept within its size; who was used least recently goes first.
func TestPruneSize(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images that jobs do not use") {
		return
	}
	r := newRegistry(t)
	var first *placed
	for i, name := range []string{"a", "b", "c"} {
		push(t, r, "ci/"+name+":1", 4<<20)
		p := pulled(t, r, first, 4746+i, "ci/"+name+":1")
		p.ageUse(time.Duration([]int{1, 3, 2}[i]) * time.Hour)
		kit.Must(t, p.reap())
		if first == nil {
			first = p
		}
	}
	const each = 6 << 20 // with busybox
	for _, test := range []struct {
		max  uint64
		want []string
	}{{3 * each, nil}, {2 * each, []string{"b:1"}}, {2 * each, nil}, {1, []string{"a:1", "c:1"}}, {1, nil}} {
		done, err := first.prune(retention.Order{Rule: retention.Rule{MaxBytes: test.max}})
		expectNames(t, "size", done, err, test.want...)
	}
	if sizes, err := podman.Measure(t.Context(), first.store(), nil); err != nil || sizes.Sum() > 0 {
		t.Errorf("left are %v, %v", sizes, err)
	}
}
