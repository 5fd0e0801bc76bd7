package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

// linkFolder returns the name of a job's own folder in the build directory.
func linkFolder(id job.ID) string { return "rolecall-" + id.String() }

// openLinkParent opens the parent of path, and makes it if necessary. It fails if
// something already exists at path, or if the parent is a symbolic link.
func openLinkParent(path string) (dir, error) {
	if !filepath.IsAbs(path) {
		return dir{}, fmt.Errorf("build directory %q is not absolute; set builds_dir in the runner's config.toml to an absolute path", path)
	}
	parent := filepath.Dir(path)
	if err := makeAll(parent); err != nil {
		return dir{}, fmt.Errorf("build directory: %w", err)
	}
	p, err := openDir(unix.AT_FDCWD, parent, parent)
	if err != nil {
		return dir{}, fmt.Errorf("build directory: %w", err)
	}
	if err := p.checkFree(filepath.Base(path)); err != nil {
		p.close()
		return dir{}, err
	}
	return p, nil
}

// checkFree returns an error if name exists in d.
func (d dir) checkFree(name string) error {
	err := unix.Faccessat(d.fd, name, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		err = unix.EEXIST
	}
	return d.errorf(name, present(err))
}

// makeAll makes the folder at path, and those above it if necessary, as mkdir -p of the
// runner does. The owner can enter them whatever the umask is.
func makeAll(path string) error {
	err := unix.Mkdir(path, 0o755)
	if errors.Is(err, unix.ENOENT) && path != filepath.Dir(path) {
		if err := makeAll(filepath.Dir(path)); err != nil {
			return err
		}
		err = unix.Mkdir(path, 0o755)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil // openDir checks what it is
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	d, err := openAnyDir(unix.AT_FDCWD, path, path) // restores the owner's rights
	if err == nil {
		d.close()
	}
	return err
}

// makeLink makes the job's own folder in the build directory, and the link in it.
func (f *Folder) makeLink(parent dir) error {
	folder, err := parent.mkdir(filepath.Base(f.record.LinkDir))
	if err != nil {
		return err
	}
	defer folder.close()
	return folder.errorf(f.envName(), unix.Symlinkat(f.jobPath(), folder.fd, f.envName()))
}

// removeLink removes the job's folder in the build directory, with its content. The
// record that names the folder may be missing, or a job may have changed it; therefore
// removeLink only removes a folder of this user and of the right name. If there is none,
// it succeeds.
func (f *Folder) removeLink(until time.Time) error {
	name := filepath.Base(f.record.LinkDir)
	if f.phase == bare || name != linkFolder(f.id) {
		return nil
	}
	parent := filepath.Dir(f.record.LinkDir)
	p, err := openDir(unix.AT_FDCWD, parent, parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.close()
	if f.phase == intended {
		return f.removeUnfinishedLink(p, name)
	}
	return p.removeFolder(name, until)
}

// removeFolder removes the folder name in d with its content, or whatever a job has put
// in its place.
func (d dir) removeFolder(name string, until time.Time) error {
	if err := d.unlink(name); !errors.Is(err, unix.EISDIR) {
		return err // not a folder
	}
	folder, err := openDir(d.fd, name, d.join(name))
	if err != nil {
		return present(err)
	}
	defer folder.close()
	return errors.Join(folder.empty(until), d.rmdir(name))
}

// removeUnfinishedLink removes the folder name in p after a stage died while it made the
// folder. It removes the folder only if nothing but the link is in it: otherwise another
// process made the folder.
func (f *Folder) removeUnfinishedLink(p dir, name string) error {
	folder, err := openDir(p.fd, name, p.join(name))
	if err != nil {
		return nil //nolint:nilerr // the folder is missing or not ours
	}
	defer folder.close()
	target := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(folder.fd, f.envName(), target)
	if err == nil && string(target[:n]) == f.jobPath() {
		if err := folder.unlink(f.envName()); err != nil {
			return err
		}
	}
	if err := p.rmdir(name); !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil
}
