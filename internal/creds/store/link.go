package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

// linkFolder returns the name of a job's own folder in the build directory.
func linkFolder(id job.ID) string { return "rolecall-" + id.String() }

// makeLinkDir makes and opens the job's own folder in the build directory.
// Whatever stands at its path is refused and stays as it is, and so is a link in
// place of the folder above it.
func makeLinkDir(path string) (dir, error) {
	if !filepath.IsAbs(path) {
		return dir{}, fmt.Errorf("build directory %q is not absolute; set builds_dir in the runner's config.toml to an absolute path", path)
	}
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // as the runner's own mkdir -p
		return dir{}, fmt.Errorf("build directory: %w", err)
	}
	p, err := openDir(unix.AT_FDCWD, parent, parent)
	if err != nil {
		return dir{}, fmt.Errorf("build directory: %w", err)
	}
	defer p.close()
	return p.mkdir(filepath.Base(path))
}

// shredEnvFiles shreds every env file in a job's folder: the name of the tenant
// is not needed to find it.
func (d dir) shredEnvFiles() error {
	_ = unix.Fchmod(d.fd, 0o700) // a job may have taken the rights; shred says where they are missing
	entries, err := os.ReadDir(procPath(d.fd))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else removes it at the same time
	}
	for _, entry := range entries {
		if ok, _ := filepath.Match(".aws.*.env", entry.Name()); ok {
			err = errors.Join(err, d.shred(entry.Name()))
		}
	}
	return err
}

// removeLink removes the job's folder in the build directory. The record that
// names it may be missing or a job may have changed it: nothing but a folder of
// the right name is removed, and where there is none there is nothing to do.
func removeLink(record Record, id job.ID) error {
	if filepath.Base(record.LinkDir) != linkFolder(id) {
		return nil
	}
	return removeLinkDir(record.LinkDir)
}

// removeLinkDir removes a job's folder in the build directory and all in it.
func removeLinkDir(path string) error {
	parent := filepath.Dir(path)
	p, err := openDir(unix.AT_FDCWD, parent, parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.close()
	return p.removeAll(filepath.Base(path))
}
