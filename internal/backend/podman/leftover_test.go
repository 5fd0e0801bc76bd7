package podman_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/internal/retention"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// pushLayers makes an image with busybox as its lowest layer and a file for each further
// one, such as /own0, and pushes it. It returns the digest of its topmost layer, too.
func pushLayers(t *testing.T, r *lab.Registry, name string, count int) (digest, top string) {
	t.Helper()
	base, err := lab.BusyboxFiles()
	kit.Must(t, err)
	lists := [][]lab.ImageFile{base}
	for i := range count {
		content := make([]byte, 1<<20)
		_, _ = rand.Read(content)
		lists = append(lists, []lab.ImageFile{{Path: "own" + string(rune('0'+i)), Content: string(content)}})
	}
	image, err := lab.NewLayers(v1.Config{}, lists...)
	kit.Must(t, err)
	digest, err = r.Push(t.Context(), name, image)
	kit.Must(t, err)
	layers, err := image.Layers()
	kit.Must(t, err)
	last, err := layers[count].Digest()
	kit.Must(t, err)
	return digest, last.String()
}

// inStore is what layers.json says of a layer.
type inStore struct {
	ID    string
	Flags map[string]any
}

// recorded returns the layers that podman has noted in the store.
func (p *placed) recorded() []inStore {
	var all []inStore
	content, err := os.ReadFile(p.store() + "/overlay-layers/layers.json")
	if err != nil || json.Unmarshal(content, &all) != nil {
		return nil
	}
	return all
}

// isWhole reports whether the store has so many layers, and all of them whole.
func (p *placed) isWhole(count int) bool {
	all := p.recorded()
	return len(all) == count && !slices.ContainsFunc(all, func(l inStore) bool { return len(l.Flags) > 0 })
}

// breakOff kills a stage that pulls an image of four layers, the lowest of which the store
// has, when it has two more of them: the one above never comes.
func breakOff(t *testing.T, r *lab.Registry, on *placed, id int, name string) *placed {
	t.Helper()
	before := max(len(on.recorded()), 1)
	digest, top := pushLayers(t, r, name, 3)
	front := r.StartFront(func(_ http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, top) {
			return false
		}
		<-request.Context().Done()
		return true
	})
	t.Cleanup(front.Close)
	p := newJobIn(t, on.dir, unique(id), pulls(front.Address+"/"+name))
	s := p.child(digest, false)
	ended := make(chan struct{})
	go func() { _ = s.Wait(); close(ended) }()
	if !p.sees(func(p *placed) bool { return p.isWhole(before + 2) }, ended) {
		t.Fatalf("the pull has ended: %s", s.says.String())
	}
	if !p.holdsLock() {
		t.Error("podman pulls without the lock of the store: if it outlives its stage, a prune takes its layers")
	}
	kit.Must(t, s.Process.Kill())
	<-ended
	t.Cleanup(func() { _ = p.reap() })
	return p
}

// holdsLock reports whether a podman that works on the store has its lock.
func (p *placed) holdsLock() bool {
	return slices.ContainsFunc(p.onStore(), func(path string) bool {
		all, _ := filepath.Glob(filepath.Dir(path) + "/fd/*")
		return slices.ContainsFunc(all, func(fd string) bool {
			to, _ := os.Readlink(fd)
			return to == p.store()+".lock"
		})
	})
}

// expectLeft checks that so many layers of broken pulls went.
func expectLeft(t *testing.T, what string, done []retention.Store, err error, layers int) {
	t.Helper()
	if err != nil || len(done) != 1 || done[0].Left.Layers != layers || done[0].Left.Bytes < uint64(layers)<<20 || done[0].Freed != done[0].Left.Bytes || len(done[0].Gone) > 0 {
		t.Errorf("%s: %+v, %v, want %d layers", what, done, err, layers)
	}
}

// expectOnly checks that a store has these layers and nothing else of any.
func (p *placed) expectOnly(layers []inStore) {
	p.t.Helper()
	var want, links []string
	for _, l := range layers {
		want = append(want, l.ID)
	}
	slices.Sort(want)
	count := func(pattern string) int {
		found, _ := filepath.Glob(p.store() + pattern)
		links = append(links, found...)
		return len(found)
	}
	var got []string
	for _, l := range p.recorded() {
		got = append(got, l.ID)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) || p.layers() != len(want) || count("/overlay/l/*") != len(want) || count("/overlay-layers/*.tar-split.gz") != len(want) || count("/overlay*/.tmp-*")+count("/overlay/staging/*") > 0 {
		p.t.Errorf("the store has layers %q, want %q, and %q", got, want, links)
	}
}

// TestLeft: the layers that a killed pull has left go with the next prune. Those that another
// image has too stay, and the script of a job that runs meanwhile goes on with them.
func TestLeft(t *testing.T) {
	if isStep(t) || isPlan(t) || !kit.InUnified(t, "what broken pulls leave") {
		return
	}
	r := newRegistry(t)
	pushLayers(t, r, "ci/stays:1", 2)
	busy := pulled(t, r, nil, 4900, "ci/stays:1")
	stay := busy.recorded()
	_, script := busy.command("build_script", "touch "+busy.slot()+"/began; until [ -e "+busy.slot()+"/go ]; do sleep 0.1; done; md5sum /own0 /own1 /bin/busybox", nil)
	kit.Must(t, script.Start())
	for !podmanBegan(busy) {
		time.Sleep(5 * time.Millisecond)
	}
	kit.Must(t, breakOff(t, r, busy, 4901, "ci/broken:1").reap())
	done, err := busy.prune(retention.Order{DryRun: true})
	expectLeft(t, "a dry run", done, err, 2)
	if !busy.isWhole(5) {
		t.Errorf("a dry run has removed layers: %+v", busy.recorded())
	}
	done, err = busy.prune(retention.Order{})
	expectLeft(t, "the prune", done, err, 2)
	busy.expectOnly(stay)
	kit.Must(t, os.WriteFile(busy.slot()+"/go", nil, 0o600))
	if err := script.Wait(); err != nil {
		t.Errorf("the script that ran meanwhile: %v", err)
	}
	if o := busy.run("after_script", "md5sum /own0 /own1 && ! [ -e /own2 ]", nil); o.Code != 0 {
		t.Errorf("the next script: %+v", o)
	}
	again := pulled(t, r, busy, 4902, "ci/broken:1")
	if o := again.run("build_script", "md5sum /own0 /own1 /own2", nil); o.Code != 0 {
		t.Errorf("the image that is pulled again: %+v", o)
	}
	kit.Must(t, again.reap())
	kit.Must(t, busy.reap())
	t.Setenv("PATH", "") // podman is not found
	done, err = busy.prune(retention.Order{Rule: retention.Rule{MaxBytes: 1 << 40}})
	expectNames(t, "nothing is left, so that podman is not asked", done, err)
}

// TestLeftAlone: a store that has nothing but what a broken pull has left is emptied.
func TestLeftAlone(t *testing.T) {
	if isStep(t) || isPlan(t) || !kit.InUnified(t, "what broken pulls leave") {
		return
	}
	r := newRegistry(t)
	on := newJob(t, unique(4903), nil)
	kit.Must(t, breakOff(t, r, on, 4904, "ci/broken:1").reap())
	if done, err := on.prune(retention.Order{}); err != nil || len(done) != 1 || on.layers() != 0 {
		t.Errorf("%+v, %v, %d layers are left", done, err, on.layers())
	}
	kit.Must(t, pulled(t, r, on, 4905, "ci/broken:1").reap())
}
