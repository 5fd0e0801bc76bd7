package inspect

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate"
	"rolecall/internal/gate/scan"
)

// RemoveLeft searches the files of this user below the folders of order.Leavings that have
// changed since then, and removes those that hold one of the order's secrets. It follows no
// link and takes at most the order's MaxDuration. The report has in Found what is removed,
// and in Refused what is not or was not searched.
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
			out.Refused = append(out.Refused, gate.Place{Name: place.Name, Says: place.Says + ": " + err.Error()})
		} else {
			out.Found = append(out.Found, place)
		}
	}
	if stopped := errors.Join(context.Cause(ctx), result.Stopped); stopped != nil {
		out.Refused = append(out.Refused, gate.Place{Name: "/", Says: "not all was searched: " + stopped.Error()})
	}
	return out, nil
}

// leavings are the files that a job may have left.
type leavings struct {
	ctx     context.Context
	order   gate.Order
	removed map[string]bool
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
// how many folders are open. What the user cannot read, no script of the user has written.
func (l *leavings) below(dir string, depth int, yield func(scan.File) bool) bool {
	folder, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return true
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
	return true
}

// entry calls yield for the files to search in an entry of a folder.
func (l *leavings) entry(path string, entry fs.DirEntry, depth int, yield func(scan.File) bool) bool {
	switch {
	case l.ctx.Err() != nil:
		return false
	case entry.IsDir():
		return l.below(path, depth+1, yield)
	}
	return !l.isOwn(entry) || yield(scan.File{Name: path})
}

// isOwn reports whether a file is one that the job may have written: a regular file of this
// user that has changed since the job began.
func (l *leavings) isOwn(entry fs.DirEntry) bool {
	if !entry.Type().IsRegular() {
		return false
	}
	info, err := entry.Info()
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid() && !time.Unix(stat.Ctim.Unix()).Before(l.order.Leavings.Since)
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
	return shred(parent, filepath.Base(at.Name))
}
