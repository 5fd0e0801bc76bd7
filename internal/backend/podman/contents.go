package podman

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Files in which podman's library notes what a store has.
//
// https://github.com/containers/storage/blob/v1.43.0/layers.go (type Layer), images.go, containers.go
const (
	layersFile     = "overlay-layers/layers.json"
	imagesFile     = "overlay-images/images.json"
	containersFile = "overlay-containers/containers.json"
)

// record is what such a file says of a layer, an image or a container.
type record struct {
	ID     string   `json:"id"`
	Parent string   `json:"parent"`         // of a layer: the one below it
	Layer  string   `json:"layer"`          // of an image or a container: its topmost one
	Mapped []string `json:"mapped-layers"`  // of an image: others that are topmost for other users
	Data   []string `json:"big-data-names"` // of an image: what is kept of it beside its layers
}

// contents is what a store has, as its files say. They are read without podman: in most
// stores there is nothing to do. The user of the store can have written them.
type contents struct {
	images []string // ids of images that are whole
	halves []string // ids of others, which a pull was noting when it was killed
	layers []string // ids of the layers that no whole image and no container stands on, each before the one below it
	temps  []string // files and folders that podman was writing
}

// isClean reports whether no broken pull has left anything.
func (c contents) isClean() bool { return len(c.halves)+len(c.layers)+len(c.temps) == 0 }

// readContents reads the files of a store. No link that leads out of it is followed.
func readContents(store string) (contents, error) {
	root, err := os.OpenRoot(store)
	if err != nil {
		return contents{}, err
	}
	defer root.Close()
	var all [3][]record
	for i, name := range []string{layersFile, imagesFile, containersFile} {
		if all[i], err = readRecords(root, name); err != nil {
			return contents{}, fmt.Errorf("%s/%s: %w", store, name, err)
		}
	}
	c := newContents(all[0], all[1], all[2])
	c.temps = findTemps(root.FS())
	return c, nil
}

// newContents returns what records say. The temps are not in them.
func newContents(layers, images, containers []record) contents {
	var c contents
	whole := slices.Clone(containers)
	for _, i := range images {
		if i.isWhole() {
			whole, c.images = append(whole, i), append(c.images, i.ID)
		} else {
			c.halves = append(c.halves, i.ID)
		}
	}
	named := standOn(whole, layers)
	for _, l := range slices.Backward(layers) { // podman notes a layer after the one below it
		if !named[l.ID] {
			c.layers = append(c.layers, l.ID)
		}
	}
	return c
}

// isWhole reports whether an image has its manifest. As long as one has none, podman lists
// no images.
func (r record) isWhole() bool { return slices.Contains(r.Data, "manifest") }

// standOn returns the layers that images and containers stand on.
func standOn(tops, layers []record) map[string]bool {
	below, named := map[string]string{}, map[string]bool{}
	for _, l := range layers {
		below[l.ID] = l.Parent
	}
	for _, top := range tops {
		for _, id := range append(slices.Clone(top.Mapped), top.Layer) {
			for ; id != "" && !named[id]; id = below[id] {
				named[id] = true
			}
		}
	}
	return named
}

// readRecords reads a file of records. If there is none, there are no records.
func readRecords(root *os.Root, name string) ([]record, error) {
	text, err := readFile(root, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return nil, nil
	}
	var records []record
	if err == nil {
		err = json.Unmarshal(text, &records)
	}
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(records, func(r record) bool { return !isID(r.ID) }); i >= 0 {
		return nil, fmt.Errorf("it names %.100q, which is no id", records[i].ID)
	}
	return records, nil
}

// maxFile bounds how big a file of records is: podman writes less than 1 KiB for a layer.
const maxFile = 16 << 20

// readFile reads a file of a store.
func readFile(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, errors.Join(err, errors.New("it is no file, or too big"))
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// findTemps returns what podman makes only for as long as it lives: files before they are
// renamed, layers that are being unpacked or removed, and trials of the file system.
func findTemps(store fs.FS) []string {
	var all []string
	for _, pattern := range []string{
		"overlay-*/.tmp-*", "overlay-images/*/.tmp-*", "overlay-layers/tmp/*", "tmp/*",
		"overlay/staging/*", "overlay/tempdirs/*", "overlay/compat*", "overlay/*-check*",
	} {
		found, err := fs.Glob(store, pattern)
		if err == nil { // the pattern is right
			all = append(all, found...)
		}
	}
	return all
}
