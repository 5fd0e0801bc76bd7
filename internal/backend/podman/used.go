package podman

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// usedDir returns the folder that has an empty file for each image of a store, whose time
// says when a job has used the image last. It lies beside the store, where only the driver's
// user can write.
func usedDir(store string) string { return store + ".used" }

// isID reports whether a text is the id of an image or a layer, and so no path.
func isID(text string) bool { return regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(text) }

// idsOf returns the ids of images.
func idsOf(images []image) []string {
	var ids []string
	for _, i := range images {
		ids = append(ids, i.id)
	}
	return ids
}

// noteUse notes that a job uses images of a store now. An image without a note stays in the
// store, so a note that cannot be written harms no job.
func noteUse(store string, images []image) {
	for _, id := range idsOf(images) {
		_ = touch(store, id)
	}
}

// touch notes that an image is used now.
func touch(store, id string) error {
	if !isID(id) {
		return errors.New("it is not the id of an image")
	}
	path, now := filepath.Join(usedDir(store), id), time.Now()
	err := os.Chtimes(path, now, now)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_ = os.Mkdir(usedDir(store), 0o700) // it may be there
	return os.WriteFile(path, nil, 0o600)
}

// present returns an error, unless it says that there is no such file.
func present(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// lastUse returns when a job has used an image last. The zero time says that nobody knows.
func lastUse(store, id string) (time.Time, error) {
	info, err := os.Lstat(filepath.Join(usedDir(store), id))
	if err == nil {
		return info.ModTime(), nil
	}
	return time.Time{}, present(err)
}
