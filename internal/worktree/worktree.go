// Package worktree gives a user back its own work tree. A job may leave folders that its own
// user can neither read nor change, links, FIFOs or files in the place of folders, and FIFOs in
// the place of files; the scripts of every later job would fail there, or wait without end.
package worktree

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxDepth = 500  // folders in one another; each needs a descriptor
	some     = 1024 // entries that are read at once
	rights   = 0o700
)

// ErrTooDeep is the error about folders that are nested too deep.
var ErrTooDeep = errors.New("the folders of the work tree are nested too deep")

// Done says what Open has done.
type Done struct {
	Opened int // folders whose mode has changed
	Traps  int // entries that it has removed, since a program that reads them would wait
}

// Open gives the calling user the rights to read, change and enter each of its folders in
// the tree at path, an absolute path, and each of its folders on the way there. It removes
// FIFOs in the tree, and links that lead to one. It needs no rights of root, and must not have
// them: the calling user is the one whose jobs have made the tree.
//
// Open goes from folder to folder by descriptors, and follows no link below a folder of
// the user. It leaves out what belongs to others and what vanishes meanwhile; without a
// tree it does nothing. It fails if ctx ends. Beside ErrTooDeep it has changed all other
// folders.
func Open(ctx context.Context, path string) (Done, error) {
	w := &walk{ctx: ctx, own: os.Geteuid()}
	fd, err := w.enter(path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return w.done, nil
	}
	if err != nil {
		return w.done, fmt.Errorf("%s: %w", path, err)
	}
	if err = w.tree(fd, 1); err == nil && w.deep {
		err = ErrTooDeep
	}
	return w.done, err
}

// walk is one call of Open.
type walk struct {
	ctx     context.Context // ends the walk
	own     int             // user id
	done    Done
	deep    bool     // there are folders below maxDepth
	cleared []string // paths of what Clear has removed or moved
}

// enter opens the folder at path, from the root of the file system on.
func (w *walk) enter(path string) (int, error) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if err != nil {
			return -1, err
		}
		above := fd
		fd, err = w.step(above, name)
		_ = unix.Close(above)
	}
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(fd) }()
	return w.open(fd, ".")
}

// step opens the folder name on the way to the tree, without the right to read it. Admins
// may have put links above the folders of the user.
func (w *walk) step(above int, name string) (int, error) {
	flags := unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC
	var stat unix.Stat_t
	if err := unix.Fstat(above, &stat); err != nil || int(stat.Uid) == w.own {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Openat(above, name, flags, 0)
	if err == nil {
		w.restore(fd)
	}
	return fd, err
}

// open opens the folder name in the folder above for reading, and gives the user the
// rights to it.
func (w *walk) open(above int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(above, name, flags, 0)
	if errors.Is(err, unix.EACCES) {
		var closed int
		if closed, err = unix.Openat(above, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
			return -1, err
		}
		defer func() { _ = unix.Close(closed) }()
		w.restore(closed)
		fd, err = unix.Openat(closed, ".", flags, 0)
	}
	if err == nil {
		w.restore(fd)
	}
	return fd, err
}

// restore gives the user all rights to an open folder of its own.
func (w *walk) restore(fd int) {
	if Restore(fd, rights) {
		w.done.Opened++
	}
}

// Restore gives the calling user rights, bits of the mode, to an open file or folder of its
// own, also to one that is open with O_PATH. It reports whether the mode has changed.
func Restore(fd int, rights uint32) bool {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil || int(stat.Uid) != os.Geteuid() || stat.Mode&rights == rights {
		return false
	}
	// The path of a descriptor leads to the very file that was opened: proc_pid_fd(5).
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), stat.Mode&0o7777|rights) == nil
}

// tree opens all folders in the folder fd, which it closes.
func (w *walk) tree(fd, depth int) error {
	folder := os.NewFile(uintptr(fd), fmt.Sprintf("/proc/self/fd/%d", fd)) // by this name ReadDir finds the types that a file system does not tell
	defer folder.Close()
	if w.deep = w.deep || depth > maxDepth; depth > maxDepth {
		return nil
	}
	for {
		entries, err := folder.ReadDir(some)
		for _, entry := range entries {
			if err := w.below(fd, entry, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || err != nil && len(entries) == 0 {
			return nil
		}
	}
}

// below opens all folders in an entry of the folder fd.
func (w *walk) below(fd int, entry os.DirEntry, depth int) error {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if !entry.IsDir() {
		w.disarm(fd, entry)
		return nil
	}
	inside, err := w.open(fd, entry.Name())
	if err != nil {
		return nil //nolint:nilerr // it has vanished, or belongs to another user
	}
	return w.tree(inside, depth+1)
}
