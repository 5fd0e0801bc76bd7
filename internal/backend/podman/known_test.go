package podman

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/test/kit"
)

// TestKnown: an image is known by its names as long as it is in the store, and a broken file
// says nothing.
func TestKnown(t *testing.T) {
	t.Parallel()
	p := place{Store: filepath.Join(t.TempDir(), "protected")}
	want := image{id: strings.Repeat("a", 64), digest: "sha256:1", user: "1000", ports: []int{80}}
	folder := filepath.Join(p.Store, "overlay-images", want.id)
	kit.Must(t, os.MkdirAll(folder, 0o700))
	if got, ok := p.recall("r/x:1"); ok {
		t.Errorf("before it is noted: %+v", got)
	}
	p.remember(want, "r/x@sha256:1", "r/x:1")
	for _, name := range []string{"r/x@sha256:1", "r/x:1"} {
		if got, ok := p.recall(name); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, ok, want)
		}
	}
	if got, ok := p.recall("r/x:2"); ok {
		t.Errorf("another name: %+v", got)
	}
	kit.Must(t, os.Rename(folder, folder+".gone"))
	if got, ok := p.recall("r/x:1"); ok {
		t.Errorf("an image that is gone: %+v", got)
	}
	kit.Must(t, os.Rename(folder+".gone", folder))
	p.forget(want.id)
	if got, ok := p.recall("r/x:1"); ok {
		t.Errorf("an image that was forgotten: %+v", got)
	}
	p.remember(image{id: "../" + want.id}, "r/x:1")
	if got, ok := p.recall("r/x:1"); ok {
		t.Errorf("an id that is a path: %+v", got)
	}
	kit.Must(t, os.WriteFile(p.knownFile(), []byte(`{"r/x:1":`), 0o600))
	if got, ok := p.recall("r/x:1"); ok {
		t.Errorf("a broken file: %+v", got)
	}
	p.remember(want, "r/x:1")
	if _, ok := p.recall("r/x:1"); !ok {
		t.Error("a broken file is not replaced")
	}
	if left, err := filepath.Glob(p.knownFile() + ".*"); err != nil || len(left) > 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	if a, b := keyOf(backend.Image{Name: "x"}), keyOf(backend.Image{Name: "x", Platform: "linux/arm64"}); a == b {
		t.Errorf("one name for two platforms: %q", a)
	}
}
