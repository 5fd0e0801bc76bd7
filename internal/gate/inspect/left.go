package inspect

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate"
	"rolecall/internal/gate/scan"
	"rolecall/internal/worktree"
)

// RemoveLeft searches the files of this user below the folders of order.Leavings that have
// changed since then, and removes those that hold one of the order's secrets. It first gives
// the user back the rights to files and folders that a script has closed. It follows no link
// and takes at most the order's MaxDuration. The report has in Found what is removed, and in
// Refused what is not, or could not be read.
func RemoveLeft(ctx context.Context, order gate.Order) (gate.Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, order.MaxDuration, scan.ErrDuration)
	defer cancel()
	left := &leavings{ctx: ctx, order: order, removed: map[string]bool{}}
	result, err := scan.Scan(ctx, order.Secrets, left.files(), scan.Options{Dir: "/", MaxBytes: order.MaxBytes})
	if err != nil && ctx.Err() == nil {
		return gate.Report{}, err
	}
	out := gate.Report{Files: result.Files}
	for _, place := range places(result.Findings, true) {
		if err := left.remove(place); err != nil {
			out.Refused = append(out.Refused, gate.Place{Name: filepath.Clean(place.Name), Says: place.Says + ": " + err.Error()})
		} else {
			out.Found = append(out.Found, place)
		}
	}
	out.Refused = append(out.Refused, unread(result.Problems)...)
	if stopped := errors.Join(context.Cause(ctx), result.Stopped, left.broken); stopped != nil {
		out.Refused = append(out.Refused, gate.Place{Name: "/", Says: "not all was searched: " + stopped.Error()})
	}
	return out, nil
}

// unread returns the places of what could not be read. It leaves out what is gone, and archives
// that could not be unpacked: the caches of package managers in a HOME hold such archives.
func unread(problems []scan.Problem) []gate.Place {
	var all []gate.Place
	for _, p := range problems {
		var system unix.Errno
		if errors.As(p.Reason, &system) && !errors.Is(system, unix.ENOENT) {
			all = append(all, gate.Place{Name: filepath.Clean(p.Name), Inside: p.Inside, Says: system.Error()})
		}
	}
	return all
}

// leavings are the files that a job may have left.
type leavings struct {
	ctx     context.Context
	order   gate.Order
	removed map[string]bool
	broken  error // why entries of a folder are not known
}

// files returns the files to search.
func (l *leavings) files() iter.Seq[scan.File] {
	return func(yield func(scan.File) bool) {
		for _, dir := range l.order.Leavings.Dirs {
			if !l.below(dir, 0, yield) {
				return
			}
		}
	}
}

const (
	some    = 256 // entries of a folder that are read at once
	maxOpen = 64  // folders in one another that are open at once
)

// below calls yield for the files to search below a folder, until it returns false. Depth is
// how many folders are open.
func (l *leavings) below(dir string, depth int, yield func(scan.File) bool) bool {
	folder, err := openFolder(dir)
	if err != nil {
		return !hides(dir, err) || yield(scan.File{Name: dir + "/."}) // the scan cannot open it either, and says so
	}
	defer folder.Close()
	most := some
	if depth >= maxOpen {
		most = -1
	}
	for err == nil {
		var entries []fs.DirEntry
		if entries, err = folder.ReadDir(most); most < 0 {
			err = errors.Join(err, io.EOF, folder.Close())
		}
		for _, entry := range entries {
			if !l.entry(filepath.Join(dir, entry.Name()), entry, depth, yield) {
				return false
			}
		}
	}
	if system := unix.Errno(0); errors.As(err, &system) && !errors.Is(system, unix.ENOENT) {
		l.broken = system // the whole error has the path, which may hold a secret
	}
	return true
}

// openFolder opens a folder. If it is this user's, the user gets back the rights to read and
// to enter it.
func openFolder(path string) (*os.File, error) {
	const flags = unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	closed, err := unix.Open(path, flags|unix.O_PATH, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(closed) }()
	worktree.Restore(closed, 0o500)
	fd, err := unix.Openat(closed, ".", flags|unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// hides reports whether a folder that cannot be opened may hide files of this user. In a
// folder of another user that the user cannot read, no script of the user has written.
func hides(path string, err error) bool {
	var stat unix.Stat_t
	return !errors.Is(err, fs.ErrPermission) || unix.Lstat(path, &stat) == nil && int(stat.Uid) == os.Geteuid()
}

// entry calls yield for the files to search in an entry of a folder.
func (l *leavings) entry(path string, entry fs.DirEntry, depth int, yield func(scan.File) bool) bool {
	switch {
	case l.ctx.Err() != nil:
		return false
	case entry.IsDir():
		return l.below(path, depth+1, yield)
	}
	if !entry.Type().IsRegular() || !l.isOwn(path) {
		return true
	}
	restore(path, 0o400)
	return yield(scan.File{Name: path})
}

// restore gives this user back rights to its own file or folder at path, if it can.
func restore(path string, rights uint32) {
	if fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err == nil {
		worktree.Restore(fd, rights)
		_ = unix.Close(fd)
	}
}

// isOwn reports whether a file is one that the job may have written: one of this user that
// has changed since the job began.
func (l *leavings) isOwn(path string) bool {
	var stat unix.Stat_t
	if unix.Lstat(path, &stat) != nil {
		return true // the scan cannot look at it either, and says why
	}
	return int(stat.Uid) == os.Geteuid() && !time.Unix(stat.Ctim.Unix()).Before(l.order.Leavings.Since)
}

// remove overwrites and removes the file of a place, once.
func (l *leavings) remove(at gate.Place) error {
	if at.Stays != "" {
		return errors.New(at.Stays) // the name in the place is masked
	}
	if l.removed[at.Name] {
		return nil
	}
	l.removed[at.Name] = true
	parent, err := unix.Open(filepath.Dir(at.Name), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(parent) }()
	worktree.Restore(parent, 0o700)
	return shred(parent, filepath.Base(at.Name))
}
