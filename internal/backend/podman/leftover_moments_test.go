package podman_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/retention"
	"rolecall/test/kit"
)

// TestLeftKilled: whenever a prune is killed that removes what a broken pull has left, the
// next one ends it.
func TestLeftKilled(t *testing.T) {
	if isStep(t) || isPlan(t) || !kit.InUnified(t, "what broken pulls leave") {
		return
	}
	r := newRegistry(t)
	pushLayers(t, r, "ci/stays:1", 2)
	busy := pulled(t, r, nil, 4906, "ci/stays:1")
	stay := busy.recorded()
	for i := range 5 {
		kit.Must(t, breakOff(t, r, busy, 4907+i, "ci/broken:1").reap())
		s := busy.does(plan{Prunes: &retention.Order{Dir: busy.images(), Wait: time.Minute}})
		ended := make(chan struct{})
		go func() { _ = s.Wait(); close(ended) }()
		busy.sees(func(p *placed) bool { return len(p.onStore()) > 0 }, ended) // a prune can end before
		time.Sleep(time.Duration(i) * 60 * time.Millisecond)
		_ = s.Process.Kill()
		<-ended
		if _, err := busy.prune(retention.Order{Wait: time.Minute}); err != nil {
			t.Errorf("killed at %d: %v", i, err)
		}
		busy.expectOnly(stay)
		if o := busy.run("build_script", "md5sum /own0 /own1", nil); o.Code != 0 {
			t.Errorf("killed at %d: %+v", i, o)
		}
	}
}

// TestLeftHalf: an image that a pull was noting when it was killed, and files that it was
// writing, go too. Before, podman lists no images of the store.
func TestLeftHalf(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what broken pulls leave") {
		return
	}
	r := newRegistry(t)
	pushLayers(t, r, "ci/stays:1", 1)
	pushLayers(t, r, "ci/half:1", 1)
	busy := pulled(t, r, nil, 4913, "ci/stays:1")
	stay := busy.recorded()
	half := pulled(t, r, busy, 4914, "ci/half:1")
	id := half.uses()[0]
	kit.Must(t, half.reap())
	busy.edit("images", func(image map[string]any) bool {
		if image["id"] == id {
			delete(image, "names")
			delete(image, "big-data-names")
		}
		return true
	})
	kit.Must(t, os.RemoveAll(busy.store()+"/overlay-images/"+id))
	kit.Must(t, os.MkdirAll(busy.store()+"/overlay/staging/123/full", 0o700))
	for _, name := range []string{"overlay-layers/.tmp-layers.json5", "overlay-images/.tmp-images.json6", "overlay/staging/123/full/file"} {
		kit.Must(t, os.WriteFile(busy.store()+"/"+name, []byte("x"), 0o600))
	}
	done, err := busy.prune(retention.Order{DryRun: true})
	expectLeft(t, "a dry run", done, err, 1)
	done, err = busy.prune(retention.Order{})
	expectLeft(t, "the prune", done, err, 1)
	busy.expectOnly(stay)
	if busy.has(id) || len(busy.recorded()) != 2 {
		t.Error("the image is left")
	}
	done, err = busy.prune(retention.Order{Rule: unused(), Wait: time.Minute})
	expectNames(t, "the store can be read", done, err)
}

// edit changes what podman has noted of layers or images. Those for which change returns
// false are left out.
func (p *placed) edit(what string, change func(map[string]any) bool) {
	p.t.Helper()
	path := p.store() + "/overlay-" + what + "/" + what + ".json"
	content, err := os.ReadFile(path)
	kit.Must(p.t, err)
	var all []map[string]any
	kit.Must(p.t, json.Unmarshal(content, &all))
	all = slices.DeleteFunc(all, func(one map[string]any) bool { return !change(one) })
	content, err = json.Marshal(all)
	kit.Must(p.t, err)
	kit.Must(p.t, os.WriteFile(path, content, 0o600))
}

// TestLeftUnknown: while it is not known what stays, nothing goes.
func TestLeftUnknown(t *testing.T) {
	if isStep(t) || isPlan(t) || !kit.InUnified(t, "what broken pulls leave") {
		return
	}
	r := newRegistry(t)
	pushLayers(t, r, "ci/stays:1", 1)
	busy := pulled(t, r, nil, 4915, "ci/stays:1")
	kit.Must(t, breakOff(t, r, busy, 4916, "ci/broken:1").reap())
	used := busy.uses()[0]
	for name, test := range map[string]struct {
		file, want string
		change     func()
	}{
		"the image of a job is not noted": {"overlay-images/images.json", "a job uses the image " + used + ", which the store does not name", func() {
			busy.edit("images", func(image map[string]any) bool { return image["id"] != used })
		}},
		"half a file": {"overlay-layers/layers.json", "it cannot be read: ", func() {
			kit.Must(t, os.Truncate(busy.store()+"/overlay-layers/layers.json", 500))
		}},
		"a job that is not known": {"", "is not known: ", nil},
	} {
		path := busy.store() + "/" + test.file
		if test.file == "" {
			path = busy.note()
			test.change = func() { kit.Must(t, os.WriteFile(path, nil, 0o600)) }
		}
		before, err := os.ReadFile(path)
		kit.Must(t, err)
		test.change()
		done, err := busy.prune(retention.Order{Rule: unused()})
		if err == nil || !strings.Contains(err.Error(), test.want) || len(done) > 0 || busy.layers() != 4 {
			t.Errorf("%s: %+v, %v, %d layers", name, done, err, busy.layers())
		}
		kit.Must(t, os.WriteFile(path, before, 0o600))
	}
	done, err := busy.prune(retention.Order{})
	expectLeft(t, "all is known", done, err, 2)
}
