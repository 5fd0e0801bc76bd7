package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
	"rolecall/internal/retention"
	"rolecall/internal/script"
	"rolecall/internal/workdir"
)

// Stores returns the names of the stores below a folder, such as alpha/protected. Each that
// a job has used has a lock beside it, which only the driver's user can make.
func Stores(images string) ([]string, error) {
	locks, err := filepath.Glob(filepath.Join(images, "*", "*"+storeLock))
	var names []string
	for _, path := range locks {
		name, relErr := filepath.Rel(images, strings.TrimSuffix(path, storeLock))
		if relErr == nil && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, err
}

// store is a store that this process alone has locked. Its engine is no job's: podman runs
// as the root of a namespace whose root is the store's user, and in no cgroup.
type store struct {
	engine

	name   string // of the tenant and trust class
	images string // folder of all stores
	has    contents
	sizes  retention.Sizes // of all layers
}

// newStore returns the store of that name, with the user and the ids that its jobs have.
func (b *Backend) newStore(images, name string, lock *os.File) (store, error) {
	path := filepath.Join(images, name)
	var stat unix.Stat_t
	if err := unix.Lstat(path, &stat); err != nil {
		return store{}, fmt.Errorf("%s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR || stat.Uid == 0 {
		return store{}, fmt.Errorf("%s is no folder of a unix user", path)
	}
	ids, err := RangeOf(images, stat.Uid)
	if err != nil {
		return store{}, err
	}
	p := place{Dir: filepath.Join(images, jobsDir, "prune-"+filepath.Base(linkTo(path))), Store: path, IDs: ids}
	e := engine{Backend: b, place: p, as: script.User{UID: stat.Uid, GID: stat.Gid}, lock: lock}
	return store{engine: e.outside(), name: name, images: images}, nil
}

// begin makes the folders that podman needs, which end removes. A begin that was killed has
// left them to the next one, or to a sweep.
func (s store) begin() (end func() error, err error) {
	unlock, err := lockJobs(s.images, unix.LOCK_SH)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := s.place.make(note{Boot: bootID()}, s.as.UID, s.as.GID); err != nil {
		return nil, errors.Join(err, s.place.remove(context.Background()))
	}
	return func() error { return s.place.remove(context.Background()) }, nil
}

// atOnce is how many images podman is asked of at once: its answer is bounded.
const atOnce = 20

// list returns images of the store, without their use. It asks podman, which reads the store
// as its user.
func (s store) list(ctx context.Context, ids []string) ([]retention.Image, error) {
	var all []retention.Image
	for some := range slices.Chunk(slices.Compact(slices.Sorted(slices.Values(ids))), atOnce) {
		const format = `{"id":{{json .ID}},"digest":{{json .Digest}},"tags":{{json .RepoTags}},"digests":{{json .RepoDigests}},"layers":{{json .GraphDriver.Data}}}`
		answer, err := s.podman(ctx, append([]string{"image", "inspect", "--format", format}, some...)...)
		if err != nil {
			return nil, err
		}
		images, err := parseImages(answer, len(some))
		if err != nil {
			return nil, err
		}
		all = append(all, images...)
	}
	return all, nil
}

// podman runs podman on the store. It keeps the lock as long as it lives.
func (s store) podman(ctx context.Context, args ...string) (string, error) {
	return s.do(ctx, s.place.onStore(args...), s.lock)
}

// parseImages reads what podman says of so many images, each on a line.
func parseImages(answer string, count int) ([]retention.Image, error) {
	var images []retention.Image
	for line := range strings.Lines(answer) {
		var said struct {
			ID, Digest    string
			Tags, Digests []string
			Layers        map[string]string
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil || !isID(said.ID) {
			return nil, errors.New("podman says of an image what cannot be read")
		}
		if len(said.Tags) == 0 {
			said.Tags = said.Digests
		}
		layers := layersOf(said.Layers["UpperDir"] + ":" + said.Layers["LowerDir"])
		if len(layers) == 0 {
			return nil, errors.New("podman names no layer of an image")
		}
		images = append(images, retention.Image{ID: said.ID, Names: said.Tags, Digest: said.Digest, Layers: layers})
	}
	if len(images) != count {
		return nil, fmt.Errorf("podman tells of %d images instead of %d", len(images), count)
	}
	return images, nil
}

// layersOf returns the ids of the layers whose folders a list of paths has.
func layersOf(paths string) []string {
	var layers []string
	for path := range strings.SplitSeq(paths, ":") {
		layers = append(layers, filepath.Base(filepath.Dir(path)))
	}
	slices.Sort(layers)
	return slices.Compact(slices.DeleteFunc(layers, func(id string) bool { return !isID(id) }))
}

// remove removes an image. Its names are forgotten first: no job finds an image that is not
// whole.
func (s store) remove(ctx context.Context, id string) error {
	s.place.forget(id)
	if _, err := s.podman(ctx, "rmi", "--force", id); err != nil {
		return err
	}
	return os.Remove(filepath.Join(usedDir(s.place.Store), id))
}

// empty replaces the store by an empty one or, if it is gone, by none. The rename hides it
// from all others at once; the folder that it is in then ends with begin's.
func (s store) empty(gone bool) error {
	err := os.Rename(s.place.Store, filepath.Join(s.place.Dir, "store"))
	if err != nil {
		return fault.New(fault.LeftBehind, err, "remove the folder while no job of the tenant runs\nrm -rf "+s.place.Store)
	}
	err = errors.Join(
		os.RemoveAll(usedDir(s.place.Store)), removeFile(s.place.knownFile()), removeFile(sizesFile(s.place.Store)), removeFile(s.place.featuresFile()))
	if !gone {
		return errors.Join(err, workdir.Make(s.images, s.name, s.as.UID, s.as.GID))
	}
	return errors.Join(err, removeFile(linkTo(s.place.Store)), removeFile(s.place.Store+storeLock))
}

// removeFile removes a file, if there is one.
func removeFile(path string) error {
	return present(os.Remove(path))
}
