package worktree

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// kept begins the names in a temporary folder that the driver makes, before any script.
const kept = "rolecall-"

// Clear makes way for the first script of a job of the calling user. Where the runner makes
// the folders of the work tree at project, an absolute path, and the folder project.tmp
// beside it, for temporary files, an earlier job may have put something else. Clear removes
// links and files there, and moves folders of others aside. It empties the temporary
// folder, but for the driver's own folders: names that the runner writes to may be links,
// FIFOs or folders. It returns what it has removed or moved, but not of the temporary
// folder's content.
//
// Clear works in folders of the user only, by descriptors, and follows no link in them. On
// the way to the work tree it leaves links that lead to folders: an admin may have put them.
func Clear(ctx context.Context, project string) (cleared []string, err error) {
	w := &walk{ctx: ctx, own: os.Geteuid()}
	above, err := w.way(filepath.Dir(project))
	if err != nil || above < 0 {
		return w.cleared, err
	}
	defer func() { _ = unix.Close(above) }()
	temp := filepath.Base(project) + ".tmp"
	err = errors.Join(w.makeWay(above, filepath.Base(project), project), w.makeWay(above, temp, project+".tmp"))
	return w.cleared, errors.Join(err, w.empty(above, temp))
}

// way opens the folder at path, from the root of the file system on, and makes way for it.
// The descriptor is -1 if the folder does not exist, or is not for Clear to change.
func (w *walk) way(path string) (int, error) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	at := ""
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if err != nil {
			return -1, nil //nolint:nilerr // there is nothing, or what is there is an admin's
		}
		above := fd
		at += "/" + name
		if w.owns(above) && !usable(above, name) {
			if err := w.makeWay(above, name, at); err != nil {
				_ = unix.Close(above)
				return -1, err
			}
		}
		fd, err = w.step(above, name)
		_ = unix.Close(above)
	}
	if err != nil || !w.owns(fd) {
		return -1, nil //nolint:nilerr // as above
	}
	return fd, nil
}

// owns reports whether an open folder is the user's.
func (w *walk) owns(fd int) bool {
	var stat unix.Stat_t
	return unix.Fstat(fd, &stat) == nil && int(stat.Uid) == w.own
}

// usable reports whether name is a folder, or a link to one, in which the user can work.
func usable(above int, name string) bool {
	var stat unix.Stat_t
	return unix.Fstatat(above, name, &stat, 0) == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR &&
		unix.Faccessat(above, name, unix.W_OK|unix.X_OK, unix.AT_EACCESS) == nil
}

// makeWay removes what stands in the place of a folder of the user.
func (w *walk) makeWay(above int, name, path string) error {
	var stat unix.Stat_t
	err := unix.Fstatat(above, name, &stat, unix.AT_SYMLINK_NOFOLLOW)
	kind := stat.Mode & unix.S_IFMT
	switch {
	case errors.Is(err, unix.ENOENT), err == nil && kind == unix.S_IFDIR && (int(stat.Uid) == w.own || usable(above, name)):
		return nil
	case err == nil && kind == unix.S_IFDIR:
		err = unix.Renameat(above, name, above, name+".aside-"+rand.Text()[:8])
	case err == nil:
		err = unix.Unlinkat(above, name, 0)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	w.cleared = append(w.cleared, path)
	return nil
}

// empty removes the content of the temporary folder, even of folders that are closed.
func (w *walk) empty(above int, name string) error {
	fd, err := w.open(above, name)
	if err != nil {
		return nil //nolint:nilerr // it does not exist, or makeWay has said why it stays
	}
	folder := os.NewFile(uintptr(fd), fmt.Sprintf("/proc/self/fd/%d", fd))
	defer folder.Close()
	if again, err := w.open(fd, "."); err == nil {
		err = w.tree(again, 1)
		if err != nil {
			return err
		}
	}
	root, err := os.OpenRoot(folder.Name())
	if err != nil {
		return err
	}
	defer root.Close()
	names, err := folder.Readdirnames(-1)
	for _, entry := range names {
		if w.ctx.Err() != nil {
			return errors.Join(err, context.Cause(w.ctx))
		}
		if !strings.HasPrefix(entry, kept) {
			err = errors.Join(err, root.RemoveAll(entry))
		}
	}
	return err
}
