package podman

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"rolecall/test/kit"
)

// layer is a record of a layer.
func layer(id, parent string) record { return record{ID: id, Parent: parent} }

// top is a record of a whole image.
func top(id, layer string, mapped ...string) record {
	return record{ID: id, Layer: layer, Mapped: mapped, Data: []string{"manifest"}}
}

// TestContents: the layers go that no whole image and no container stands on, each before the
// one below it.
func TestContents(t *testing.T) {
	t.Parallel()
	chain := []record{layer("a", ""), layer("b", "a"), layer("c", "b"), layer("d", "a")}
	for name, test := range map[string]struct {
		layers, images, containers []record
		want                       []string
	}{
		"nothing":                 {nil, nil, nil, nil},
		"no image":                {chain, nil, nil, []string{"d", "c", "b", "a"}},
		"an image of all":         {chain[:3], []record{top("1", "c")}, nil, nil},
		"an image of some":        {chain, []record{top("1", "b")}, nil, []string{"d", "c"}},
		"two images":              {chain, []record{top("1", "b"), top("2", "d")}, nil, []string{"c"}},
		"a container":             {chain, []record{top("1", "b")}, []record{{ID: "9", Layer: "d"}}, []string{"c"}},
		"a half image":            {chain, []record{top("1", "b"), {ID: "2", Layer: "d"}}, nil, []string{"d", "c"}},
		"an image for more users": {chain, []record{top("1", "b", "c", "d")}, nil, nil},
		"an image without layers": {chain[:1], []record{top("1", "")}, nil, []string{"a"}},
		"a layer that is gone":    {chain[:1], []record{top("1", "x")}, nil, []string{"a"}},
		"layers in a ring":        {[]record{layer("a", "b"), layer("b", "a"), layer("c", "")}, []record{top("1", "b")}, nil, []string{"c"}},
	} {
		got := newContents(test.layers, test.images, test.containers)
		if diff := cmp.Diff(test.want, got.layers); diff != "" {
			t.Errorf("%s (- wanted, + got):\n%s", name, diff)
		}
	}
	c := newContents(chain, []record{top("1", "c"), {ID: "2", Layer: "d", Data: []string{"sha256:2"}}}, nil)
	if !slices.Equal(c.images, []string{"1"}) || !slices.Equal(c.halves, []string{"2"}) {
		t.Errorf("%+v", c)
	}
}

// newStoreFolder returns a folder of a store with files of records.
func newStoreFolder(t *testing.T, layers string) string {
	t.Helper()
	store := filepath.Join(t.TempDir(), "store")
	for _, folder := range []string{"overlay-layers", "overlay-images", "overlay-containers"} {
		kit.Must(t, os.MkdirAll(store+"/"+folder, 0o700))
	}
	kit.Must(t, os.WriteFile(store+"/"+layersFile, []byte(layers), 0o600))
	return store
}

// TestReadContents: what cannot be read is an error, and not a store that has nothing. The
// user of the store can have put anything there: nobody waits, and no link is followed.
func TestReadContents(t *testing.T) {
	t.Parallel()
	const one = `[{"id":"` + idOne + `"}]`
	away := filepath.Join(t.TempDir(), "layers.json")
	kit.Must(t, os.WriteFile(away, []byte(one), 0o600))
	for name, test := range map[string]struct {
		change func(store string) error
		want   string // empty: the file is read
	}{
		"no file":       {func(store string) error { return os.Remove(store + "/" + layersFile) }, ""},
		"an empty file": {func(store string) error { return os.Truncate(store+"/"+layersFile, 0) }, ""},
		"half a file":   {func(store string) error { return os.Truncate(store+"/"+layersFile, 20) }, "unexpected end of JSON"},
		"a path":        {func(store string) error { return os.WriteFile(store+"/"+layersFile, []byte(`[{"id":"../x"}]`), 0o600) }, `it names "../x", which is no id`},
		"a pipe": {func(store string) error {
			return errorsOf(os.Remove(store+"/"+layersFile), unix.Mkfifo(store+"/"+layersFile, 0o600))
		}, "it is no file, or too big"},
		"a link": {func(store string) error {
			return errorsOf(os.Remove(store+"/"+layersFile), os.Symlink(away, store+"/"+layersFile))
		}, "layers.json: "},
		"a link for the folder": {func(store string) error {
			return errorsOf(os.RemoveAll(store+"/overlay-layers"), os.Symlink(filepath.Dir(away), store+"/overlay-layers"))
		}, "path escapes from parent"},
		"a big file":    {func(store string) error { return os.Truncate(store+"/"+layersFile, maxFile+1) }, "it is no file, or too big"},
		"broken images": {func(store string) error { return os.WriteFile(store+"/"+imagesFile, []byte("{}"), 0o600) }, "images.json: json"},
		"no containers": {func(store string) error { return os.WriteFile(store+"/"+containersFile, []byte("x"), 0o600) }, "containers.json: invalid"},
	} {
		store := newStoreFolder(t, one)
		kit.Must(t, test.change(store))
		c, err := readContents(store)
		if test.want != "" {
			expect(t, name, err, "", test.want)
		} else if err != nil || !c.isClean() {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if c, err := readContents(newStoreFolder(t, one)); err != nil || !slices.Equal(c.layers, []string{idOne}) {
		t.Errorf("%+v, %v", c, err)
	}
	_, err := readContents(t.TempDir() + "/none")
	expect(t, "no store", err, "", "no such file")
}

// errorsOf returns the first error.
func errorsOf(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestTemps: files and folders that podman was writing are found, and no others.
func TestTemps(t *testing.T) {
	t.Parallel()
	store := newStoreFolder(t, "[]")
	want := []string{
		"overlay-containers/.tmp-containers.json1", "overlay-images/.tmp-images.json2", "overlay-images/" + idOne + "/.tmp-=b", "overlay-layers/.tmp-" + idOne + ".tar-split.gz3",
		"overlay-layers/.tmp-layers.json4", "overlay-layers/tmp/temp-dir-5", "overlay/compat6", "overlay/metacopy-check7", "overlay/staging/8", "overlay/tempdirs/temp-dir-9", "tmp/storage10",
	}
	for _, name := range append([]string{"overlay/" + idOne + "/diff/staging/x", "overlay/" + idOne + "/diff/.tmp-x", "overlay/l/X", "overlay-layers/layers.lock", "overlay-images/" + idOne + "/manifest", "libpod/bolt_state.db"}, want...) {
		kit.Must(t, os.MkdirAll(filepath.Dir(store+"/"+name), 0o700))
		kit.Must(t, os.WriteFile(store+"/"+name, nil, 0o600))
	}
	c, err := readContents(store)
	kit.Must(t, err)
	slices.Sort(c.temps)
	slices.Sort(want)
	if diff := cmp.Diff(want, c.temps); diff != "" || c.isClean() {
		t.Errorf("(- wanted, + got):\n%s", diff)
	}
}
