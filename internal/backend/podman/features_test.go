package podman

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/test/kit"
)

// found are features as podman finds them.
func found() []string {
	return []string{"idmapped-lower-dir-false", "metacopy()-false", "native-diff(metacopy=on,nodev)-true", "overlay-true"}
}

// find makes files in the engine root of a job, as podman does.
func (f faked) find(names ...string) {
	f.t.Helper()
	dir := filepath.Join(f.place.run(), rootDir, featuresDir)
	kit.Must(f.t, os.MkdirAll(dir, 0o700))
	for _, name := range names {
		kit.Must(f.t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
}

// TestFeatures: what podman has found out is known to later jobs of the store, on the same
// boot of the host, with the same podman and as long as it can create containers.
func TestFeatures(t *testing.T) {
	f := newFaked(t, says{}.podman())
	f.find(found()...)
	f.place.learnFeatures()
	if got := f.place.readFeatures(); !slices.Equal(got, found()) {
		t.Fatalf("known is %q, want %q", got, found())
	}
	of := f.place.here()
	for name, of := range map[string]string{"another boot": strings.Replace(of, bootID(), "x", 1), "another file system": strings.Replace(of, " ", " 1", 1), "nothing": ""} {
		replace(f.place.featuresFile(), features{of, found()})
		if got := f.place.readFeatures(); got != nil {
			t.Errorf("%s: known is %q", name, got)
		}
	}
	replace(f.place.featuresFile(), features{of, []string{"overlay-true", "../x-true", "a/b-true", "overlay-maybe", ""}})
	if got := f.place.readFeatures(); !slices.Equal(got, []string{"overlay-true"}) {
		t.Errorf("what is no feature is known: %q", got)
	}
	f.add("podman", "exit 125")
	if got := f.place.readFeatures(); got != nil {
		t.Errorf("of another podman is known %q", got)
	}
	f.place.learnFeatures()
	f.startTime = startTime
	err := f.create(t.Context(), orderOf(backend.Image{Name: "r/x:1"}), []image{{id: idOne}}, nil)
	if _, stat := os.Lstat(f.place.featuresFile()); err == nil || !os.IsNotExist(stat) {
		t.Errorf("podman fails: %v, and the file stays: %v", err, stat)
	}
}

// TestNoFeatures: the folder belongs to the job's user. Nothing but names is taken from it.
func TestNoFeatures(t *testing.T) {
	f := newFaked(t, says{}.podman())
	f.place.learnFeatures()
	f.find("overlay-true")
	dir := filepath.Join(f.place.run(), rootDir, featuresDir)
	kit.Must(t, os.WriteFile(dir+"/overlay-false", []byte("the kernel does not support it"), 0o600))
	kit.Must(t, os.Symlink("overlay-true", dir+"/metacopy()-true"))
	kit.Must(t, unix.Mkfifo(dir+"/idmapped-lower-dir-true", 0o600))
	kit.Must(t, os.Mkdir(dir+"/native-diff()-true", 0o700))
	f.find("volatile", "A-true", strings.Repeat("a", 50)+"-true")
	if got := f.place.foundFeatures(); !slices.Equal(got, []string{"overlay-true"}) {
		t.Errorf("found is %q", got)
	}
	for i := range maxFeatures {
		f.find(fmt.Sprintf("a(%d)-true", i))
	}
	if got := f.place.foundFeatures(); len(got) != maxFeatures {
		t.Errorf("%d features are found", len(got))
	}
	kit.Must(t, os.RemoveAll(dir))
	kit.Must(t, os.Symlink("/etc", dir))
	if got := f.place.foundFeatures(); got != nil {
		t.Errorf("outside of the folder is found %q", got)
	}
}
