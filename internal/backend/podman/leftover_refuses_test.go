package podman

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/retention"
	"rolecall/test/kit"
)

// TestWithMark: one layer gets the mark, and all else that is noted of layers stays.
func TestWithMark(t *testing.T) {
	t.Parallel()
	const text = `[{"id":"a","created":"2026-01-01T00:00:00.000000001Z","size":12345678901234567890},{"id":"b","parent":"a","flags":{"other":[1.50]},"new":{"x":null}}]`
	for id, want := range map[string]string{
		"a": `[{"created":"2026-01-01T00:00:00.000000001Z","flags":{"incomplete":true},"id":"a","size":12345678901234567890},{"flags":{"other":[1.50]},"id":"b","new":{"x":null},"parent":"a"}]`,
		"b": `[{"created":"2026-01-01T00:00:00.000000001Z","id":"a","size":12345678901234567890},{"flags":{"incomplete":true,"other":[1.50]},"id":"b","new":{"x":null},"parent":"a"}]`,
	} {
		got, found, err := withMark([]byte(text), id)
		if err != nil || !found || string(got) != want {
			t.Errorf("%s: %s, %v, %v", id, got, found, err)
		}
	}
	if _, found, err := withMark([]byte(text), "c"); found || err != nil {
		t.Errorf("a layer that is not there: %v, %v", found, err)
	}
	for _, broken := range []string{"", `[{"id":"a"`, `[{"id":"a","flags":5}]`} {
		if _, found, err := withMark([]byte(broken), "a"); found || err == nil {
			t.Errorf("%q: %v, %v", broken, found, err)
		}
	}
}

// newLeftStore returns a store with two layers of a broken pull, whose podman is a fake.
func newLeftStore(t *testing.T, says says) (store, faked) {
	t.Helper()
	s, f := newFakeStore(t, says)
	kit.Must(t, os.MkdirAll(s.place.Store+"/overlay-layers", 0o700))
	kit.Must(t, os.WriteFile(s.place.Store+"/overlay-layers/layers.lock", nil, 0o600))
	kit.Must(t, os.WriteFile(s.place.Store+"/"+layersFile, []byte(`[{"id":"`+idOne+`"},{"id":"`+idTwo+`","parent":"`+idOne+`"}]`), 0o600))
	return s, f
}

// TestClear: a layer that podman does not remove is an error, and so is an image. The layer
// has the mark, so that podman removes it later, and those below it have none.
func TestClear(t *testing.T) {
	s, f := newLeftStore(t, says{images: "echo no >&2; exit 125", rmi: "echo busy >&2; exit 125"})
	var err error
	s.has, err = readContents(s.place.Store)
	kit.Must(t, err)
	s.has.halves = []string{idOne}
	gone, err := s.clear(t.Context())
	expect(t, "podman does nothing", err, "", "the layer "+idTwo+" of a broken pull cannot be removed: podman does not remove it\npodman ended with 125: no")
	expect(t, "nor an image", err, "", "podman ended with 125: busy")
	text, err := os.ReadFile(s.place.Store + "/" + layersFile)
	kit.Must(t, err)
	if want := `[{"id":"` + idOne + `"},{"flags":{"incomplete":true},"id":"` + idTwo + `","parent":"` + idOne + `"}]`; string(text) != want || len(gone) > 0 || f.calls(" rmi ") != 1 {
		t.Errorf("gone %q, %s", gone, text)
	}
	if info, err := os.Stat(s.place.Store + "/" + layersFile); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left := findTemps(os.DirFS(s.place.Store)); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// TestClearOnce: podman is asked once for each layer, and removes one that has the mark.
func TestClearOnce(t *testing.T) {
	s, f := newLeftStore(t, says{})
	lay := s.place.Store + "/" + layersFile
	f.add("podman", `if grep -q '"incomplete":true},"id":"`+idTwo+`"' `+lay+`; then echo '[{"id":"`+idOne+`"}]' >`+lay+`; elif grep -q incomplete `+lay+`; then echo '[]' >`+lay+`; fi`)
	s.has.layers = []string{idTwo, idOne}
	gone, err := s.clear(t.Context())
	if err != nil || !slices.Equal(gone, []string{idTwo, idOne}) || f.calls("podman") != 2 {
		t.Errorf("%q, %v, asked %d times", gone, err, f.calls("podman"))
	}
	if err := s.drop(t.Context(), idOne); err != nil || f.calls("podman") != 2 {
		t.Errorf("a layer that has gone: %v, asked %d times", err, f.calls("podman"))
	}
}

// TestLockedLayers: nothing is written while another process has locked the layers.
func TestLockedLayers(t *testing.T) {
	s, _ := newLeftStore(t, says{})
	other, err := os.OpenFile(s.place.Store+"/overlay-layers/layers.lock", os.O_RDWR, 0)
	kit.Must(t, err)
	kit.Must(t, unix.FcntlFlock(other.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_RDLCK}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = s.mark(ctx, idTwo)
	expect(t, "locked", err, "", "the layers cannot be locked: context deadline exceeded")
	kit.Must(t, other.Close())
	if there, err := s.mark(t.Context(), idTwo); err != nil || !there {
		t.Errorf("not locked: %v, %v", there, err)
	}
	kit.Must(t, os.Remove(s.place.Store+"/overlay-layers/layers.lock"))
	_, err = s.mark(t.Context(), idTwo)
	expect(t, "no file", err, "", "the layers cannot be locked: ")
}

// TestRewrite: the file that is written belongs to the user of the store, and does not go to
// where a link points.
func TestRewrite(t *testing.T) {
	kit.NeedRoot(t, "files of other users")
	s, _ := newLeftStore(t, says{})
	s.as.UID, s.as.GID = 65534, 65534
	away := filepath.Join(t.TempDir(), "away")
	kit.Must(t, os.WriteFile(away, []byte("stays"), 0o600))
	kit.Must(t, os.Symlink(away, s.place.Store+"/overlay-layers/.tmp-layers.json"))
	if there, err := s.mark(t.Context(), idOne); err != nil || !there {
		t.Errorf("%v, %v", there, err)
	}
	info, err := os.Lstat(s.place.Store + "/" + layersFile)
	kit.Must(t, err)
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != 65534 || stat.Gid != 65534 || info.Mode() != 0o600 {
		t.Errorf("%v of user %d", info.Mode(), stat.Uid)
	}
	text, err := os.ReadFile(away)
	if err != nil || string(text) != "stays" {
		t.Errorf("%s, %v", text, err)
	}
	var layers []map[string]any
	text, err = os.ReadFile(s.place.Store + "/" + layersFile)
	if err != nil || json.Unmarshal(text, &layers) != nil || len(layers) != 2 || !strings.Contains(string(text), "incomplete") {
		t.Errorf("%s, %v", text, err)
	}
}

// TestAgree: podman and the files of a store must say the same of what stays.
func TestAgree(t *testing.T) {
	t.Parallel()
	c := contents{images: []string{idOne}, layers: []string{"a"}}
	named := []retention.Image{{ID: idOne, Layers: []string{"b"}}}
	kit.Must(t, c.agree(named, map[string]bool{idOne: true}))
	expect(t, "an image", c.agree(named, map[string]bool{idTwo: true}), "", "a job uses the image "+idTwo+", which the store does not name")
	named[0].Layers = []string{"b", "a"}
	expect(t, "a layer", c.agree(named, nil), "", "podman names layers of the image "+idOne+" that its files do not name")
}

// TestMeasureLeft: the size of a layer that no image has is not noted: the next pull can make
// another one anew, with the same id.
func TestMeasureLeft(t *testing.T) {
	s, _ := newLeftStore(t, says{})
	for _, id := range []string{idOne, idTwo} {
		kit.Must(t, os.MkdirAll(filepath.Join(s.place.Store, layersDir, id), 0o700))
		kit.Must(t, os.WriteFile(filepath.Join(s.place.Store, layersDir, id, "file"), make([]byte, 1<<20), 0o600))
	}
	sizes, err := s.measure(t.Context(), s.place.Store, contents{layers: []string{idTwo}})
	if err != nil || sizes.Sum() < 2<<20 {
		t.Errorf("%v, %v", sizes, err)
	}
	if noted := readSizes(s.place.Store); len(noted) != 1 || noted[idOne] < 1<<20 {
		t.Errorf("noted are %v", noted)
	}
}
