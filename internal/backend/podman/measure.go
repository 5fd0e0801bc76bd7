package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"rolecall/internal/retention"
)

// layersDir is the folder of a store that has one for each layer.
const layersDir = "overlay"

// sizesFile returns the path of the file of the sizes of a store's layers, which do not
// change. It lies beside the store, where only the driver's user can write.
func sizesFile(store string) string { return store + ".sizes" }

// readSizes reads the file. One that is not there, or broken, says nothing.
func readSizes(store string) retention.Sizes {
	var sizes retention.Sizes
	content, err := os.ReadFile(sizesFile(store))
	if err != nil || json.Unmarshal(content, &sizes) != nil {
		return nil
	}
	return sizes
}

// Measure returns the sizes of the layers of a store. Those that are known are not measured
// again. Its user can change all in the store: no link is followed, and what cannot be
// measured is an error.
func Measure(ctx context.Context, store string, known retention.Sizes) (retention.Sizes, error) {
	sizes := retention.Sizes{}
	root, err := os.OpenRoot(store)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	layers, err := fs.ReadDir(root.FS(), layersDir)
	if errors.Is(err, fs.ErrNotExist) {
		return sizes, nil // podman was never here
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", store, err)
	}
	m := measurer{ctx, map[uint64]bool{}}
	for _, layer := range layers {
		id := layer.Name()
		size, isKnown := known[id]
		if !isKnown && isID(id) {
			size, err = m.below(root, layersDir+"/"+id)
		}
		if err != nil {
			return nil, fmt.Errorf("%s/%s/%s: %w", store, layersDir, id, err)
		}
		if isID(id) {
			sizes[id] = size
		}
	}
	return sizes, nil
}

// measurer measures folders.
type measurer struct {
	ctx  context.Context
	seen map[uint64]bool // inodes of files that have more than one name
}

// below returns how many bytes of the disk a folder has.
func (m measurer) below(parent *os.Root, name string) (uint64, error) {
	dir, err := parent.OpenRoot(name)
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return 0, err
	}
	var sum uint64
	for _, entry := range entries {
		size, err := m.entry(dir, entry.Name())
		if err != nil {
			return 0, err
		}
		sum += size
	}
	return sum, m.ctx.Err()
}

// entry returns how many bytes of the disk a file or a folder has.
func (m measurer) entry(dir *os.Root, name string) (uint64, error) {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil // it was removed just now
	}
	if err != nil {
		return 0, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Nlink > 1 && !info.IsDir() && m.seen[stat.Ino] {
		return 0, nil
	}
	m.seen[stat.Ino] = stat.Nlink > 1
	const block = 512
	size := uint64(stat.Blocks) * block //nolint:gosec // a file has no negative size
	if !info.IsDir() {
		return size, nil
	}
	below, err := m.below(dir, name)
	return size + below, err
}
