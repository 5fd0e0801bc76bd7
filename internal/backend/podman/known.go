package podman

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"

	"rolecall/internal/backend"
)

// known is what was found out about images of a store, by their names. It lies beside the
// store, where only the driver's user can write, and spares podman a look into the store. An
// image whose folder is gone is not known.
type known map[string]knownImage

// knownImage is an image in the file.
type knownImage struct {
	ID     string `json:"id"`
	Digest string `json:"digest"`
	User   string `json:"user,omitempty"`
	Ports  []int  `json:"ports,omitempty"`
}

// maxKnown bounds how many names are kept.
const maxKnown = 1000

// keyOf returns the name of an image in the file. The same name can stand for several
// platforms.
func keyOf(asked backend.Image) string {
	if asked.Platform == "" {
		return asked.Name
	}
	return asked.Name + " " + asked.Platform
}

// knownFile returns the path of the file.
func (p place) knownFile() string { return p.Store + ".known" }

// readKnown reads the file. One that is not there, or broken, says nothing.
func (p place) readKnown() known {
	all := known{}
	content, err := os.ReadFile(p.knownFile())
	if err != nil || json.Unmarshal(content, &all) != nil {
		return known{}
	}
	return all
}

// recall returns the image of that name, if it is known and its folder is in the store.
func (p place) recall(name string) (image, bool) {
	k, ok := p.readKnown()[name]
	if !ok || k.ID == "" || k.ID != filepath.Base(k.ID) {
		return image{}, false
	}
	if _, err := os.Lstat(filepath.Join(p.Store, "overlay-images", k.ID)); err != nil {
		return image{}, false
	}
	return image{id: k.ID, digest: k.Digest, user: k.User, ports: k.Ports}, true
}

// remember notes an image by its names. If that fails, podman is asked the next time.
func (p place) remember(i image, names ...string) {
	all := p.readKnown()
	if len(all) >= maxKnown {
		all = known{}
	}
	for _, name := range names {
		all[name] = knownImage{ID: i.id, Digest: i.digest, User: i.user, Ports: i.ports}
	}
	p.writeKnown(all)
}

// forget removes an image from the file: it cannot be used.
func (p place) forget(id string) {
	all := p.readKnown()
	maps.DeleteFunc(all, func(_ string, k knownImage) bool { return k.ID == id })
	p.writeKnown(all)
}

// writeKnown replaces the file, which others may read meanwhile.
func (p place) writeKnown(all known) { replace(p.knownFile(), all) }

// replace replaces a file of what was found out, in JSON. If that fails, it is found out
// again the next time.
func replace(path string, content any) {
	text, err := json.Marshal(content)
	if err != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".")
	if err != nil {
		return
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}
