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

// openLinkParent makes and opens the folder that the job's own folder in the build
// directory goes to. Whatever stands at that one's path already is an error, and so
// is a link in place of the folder above it.
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
	err = unix.Faccessat(p.fd, filepath.Base(path), unix.F_OK, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil {
		err = unix.EEXIST
	}
	if err = present(err); err != nil {
		p.close()
		return dir{}, p.errorf(filepath.Base(path), err)
	}
	return p, nil
}

// makeAll makes the folder at path and those above it where they are not there, as
// the runner's own mkdir -p does. The owner can enter them whatever the umask is.
func makeAll(path string) error {
	err := unix.Mkdir(path, 0o755)
	if errors.Is(err, unix.ENOENT) && path != filepath.Dir(path) {
		if err := makeAll(filepath.Dir(path)); err != nil {
			return err
		}
		err = unix.Mkdir(path, 0o755)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil // who opens it finds out what it is
	}
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	d, err := openAnyDir(unix.AT_FDCWD, path, path) // gives the owner's rights back
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

// removeLink removes the job's folder in the build directory with all in it. The
// record that names it may be missing or a job may have changed it: nothing but a
// folder of this user and of the right name is removed, and where there is none
// there is nothing to do.
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
	if err := p.unlink(name); !errors.Is(err, unix.EISDIR) {
		return err // a job put something else in its place
	}
	folder, err := openDir(p.fd, name, p.join(name))
	if err != nil {
		return present(err)
	}
	defer folder.close()
	return errors.Join(folder.empty(until), p.rmdir(name))
}

// removeUnfinishedLink removes the folder name in p where a stage died that was to
// make it: if there is nothing else in it than the link. Else somebody else made it.
func (f *Folder) removeUnfinishedLink(p dir, name string) error {
	folder, err := openDir(p.fd, name, p.join(name))
	if err != nil {
		return nil //nolint:nilerr // it is not ours
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
