package podman

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// inUse returns the ids of the images of a store that jobs use. The caller has locked the
// store for itself alone, so each job has either chosen no image yet, or has its file. A file
// that cannot be read is an error: nobody knows what that job uses.
func inUse(images, store string) (map[string]bool, error) {
	entries, err := os.ReadDir(filepath.Join(images, jobsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	used := map[string]bool{}
	for _, entry := range entries {
		dir := filepath.Join(images, jobsDir, entry.Name())
		ids, err := usedBy(dir, store)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the job has chosen nothing, or it has ended
		}
		if err != nil {
			return nil, fmt.Errorf("what the job of %s uses is not known: %w", dir, err)
		}
		for _, id := range ids {
			used[id] = true
		}
	}
	return used, nil
}

// usedBy returns the ids of the images that the job of a folder uses of a store.
func usedBy(dir, store string) ([]string, error) {
	n, err := loadNote(dir)
	if err != nil {
		return nil, err
	}
	if n.Data == nil {
		return nil, nil // it is no job's
	}
	p, err := parse(n.Data)
	if err != nil || p.Store != store {
		return nil, err
	}
	c, err := readContainer(dir)
	if err == nil && len(c.Images) == 0 {
		err = errors.New("another version of rolecall has made its container")
	}
	return c.Images, err
}
