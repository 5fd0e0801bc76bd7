package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"rolecall/internal/retention"
)

// agree returns an error unless podman and the files of a store say the same of what must
// stay: the images that jobs use, and the layers of all images.
func (c contents) agree(images []retention.Image, used map[string]bool) error {
	for id := range used {
		if !slices.Contains(c.images, id) {
			return fmt.Errorf("a job uses the image %s, which the store does not name", id)
		}
	}
	for _, i := range images {
		if slices.ContainsFunc(i.Layers, func(layer string) bool { return slices.Contains(c.layers, layer) }) {
			return fmt.Errorf("podman names layers of the image %s that its files do not name", i.ID)
		}
	}
	return nil
}

// clear removes what broken pulls have left, and returns the layers that have gone. The
// caller has the lock of the store, so nobody pulls, and its files agree with podman.
func (s store) clear(ctx context.Context) (gone []string, err error) {
	err = s.removeTemps()
	for _, id := range s.has.halves {
		_, problem := s.podman(ctx, "rmi", "--force", id)
		err = errors.Join(err, problem)
	}
	for _, id := range s.has.layers {
		if problem := s.drop(ctx, id); problem != nil {
			return gone, errors.Join(err, fmt.Errorf("the layer %s of a broken pull cannot be removed: %w", id, problem))
		}
		gone = append(gone, id)
	}
	return gone, err
}

// removeTemps removes what podman was writing.
func (s store) removeTemps() error {
	root, err := os.OpenRoot(s.place.Store)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range s.has.temps {
		err = errors.Join(err, root.RemoveAll(name))
	}
	return err
}

// drop removes a layer that nothing stands on. podman has no command for that before version
// 5.3, but its library removes a layer with a mark when it opens the store: it sets the mark
// itself before it makes or removes one. Only one layer has it at a time: before version 1.57
// the library can fail on several.
//
// https://github.com/containers/storage/blob/v1.43.0/layers.go (Load, deleteInternal)
// https://github.com/containers/storage/commit/99b0d2d42
func (s store) drop(ctx context.Context, id string) error {
	there, err := s.mark(ctx, id)
	if err != nil || !there {
		return err
	}
	_, said := s.podman(ctx, "images", "--quiet")
	c, err := readContents(s.place.Store)
	if err == nil && slices.Contains(c.layers, id) {
		return errors.Join(errors.New("podman does not remove it"), said)
	}
	return err
}

// mark sets the mark of a layer, and reports whether the store has the layer.
func (s store) mark(ctx context.Context, id string) (bool, error) {
	root, err := os.OpenRoot(s.place.Store)
	if err != nil {
		return false, err
	}
	defer root.Close()
	lock, err := lockLayers(ctx, root)
	if err != nil {
		return false, fmt.Errorf("the layers cannot be locked: %w", err)
	}
	defer lock.Close()
	text, err := readFile(root, layersFile)
	if err != nil {
		return false, err
	}
	text, found, err := withMark(text, id)
	if err != nil || !found {
		return false, err
	}
	return true, s.rewrite(root, layersFile, text)
}

// lockLayers locks the layers of a store as podman's library does, until the file is closed.
func lockLayers(ctx context.Context, root *os.Root) (*os.File, error) {
	return patiently(ctx, func() (*os.File, error) {
		f, err := root.OpenFile("overlay-layers/layers.lock", os.O_RDWR|unix.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
			_ = f.Close()
			return nil, err
		}
		return f, nil
	})
}

// withMark returns the text of a file of layers in which one has the mark, and whether the
// layer is there. All else stays as it is.
func withMark(text []byte, id string) ([]byte, bool, error) {
	var layers []map[string]json.RawMessage
	if err := json.Unmarshal(text, &layers); err != nil {
		return nil, false, err
	}
	quoted := fmt.Sprintf("%q", id)
	i := slices.IndexFunc(layers, func(l map[string]json.RawMessage) bool { return string(l["id"]) == quoted })
	if i < 0 {
		return nil, false, nil
	}
	flags := map[string]json.RawMessage{}
	if had := layers[i]["flags"]; had != nil {
		if err := json.Unmarshal(had, &flags); err != nil {
			return nil, false, err
		}
	}
	flags["incomplete"] = json.RawMessage("true")
	var err error
	if layers[i]["flags"], err = json.Marshal(flags); err != nil {
		return nil, false, err
	}
	text, err = json.Marshal(layers)
	return text, true, err
}

// rewrite replaces a file of the store by one that belongs to its user.
func (s store) rewrite(root *os.Root, name string, text []byte) error {
	temp := filepath.Join(filepath.Dir(name), ".tmp-"+filepath.Base(name)) // one of findTemps
	if err := present(root.Remove(temp)); err != nil {
		return err
	}
	f, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chown(int(s.as.UID), int(s.as.GID)), f.Sync(), f.Close()); err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		_ = root.Remove(temp)
	}
	return err
}
