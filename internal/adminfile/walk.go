package adminfile

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds how many links a path may go through, as in Linux itself.
const maxLinks = 40

// openToOthers are the rights of group and others to write.
const openToOthers = 0o022

// entry is an open entry of a folder, which may be a link. All that is known of it
// was asked of its descriptor, so that nothing can be put in its place.
type entry struct {
	fd   int
	path string
	stat unix.Stat_t
}

// open opens name in the folder parent, which may be unix.AT_FDCWD, and checks it.
func open(parent int, name, path string) (entry, error) {
	e := entry{path: path}
	var err error
	if e.fd, err = unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
		return entry{}, fmt.Errorf("%s: %w", path, err)
	}
	if err = unix.Fstat(e.fd, &e.stat); err == nil {
		err = e.check()
	}
	if err != nil {
		e.close()
	}
	return e, err
}

// close releases the descriptor.
func (e entry) close() { _ = unix.Close(e.fd) }

// is reports whether the entry is of a kind, such as unix.S_IFDIR.
func (e entry) is(kind uint32) bool { return e.stat.Mode&unix.S_IFMT == kind }

// check reports an error where another user owns the entry, or may replace what is
// in it.
func (e entry) check() error {
	if e.stat.Uid != 0 && int(e.stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, who could change it; chown -h root %s", e.path, e.stat.Uid, e.path)
	}
	if e.is(unix.S_IFDIR) && e.stat.Mode&openToOthers != 0 && e.stat.Mode&unix.S_ISVTX == 0 {
		return e.openError()
	}
	return nil
}

// checkTarget reports an error where the entry at the path's end is of none of the
// kinds, or others may write to it.
func (e entry) checkTarget(kinds ...uint32) error {
	known := false
	for _, kind := range kinds {
		known = known || e.is(kind)
	}
	if !known && len(kinds) == 1 {
		return fmt.Errorf("%s is not a regular file", e.path)
	}
	if !known {
		return fmt.Errorf("%s is neither a regular file nor a folder", e.path)
	}
	if e.stat.Mode&openToOthers != 0 {
		return e.openError()
	}
	return nil
}

// openError says that others may write to the entry.
func (e entry) openError() error {
	next := "chmod go-w " + e.path + ", or choose another place"
	if e.stat.Mode&unix.S_ISVTX != 0 {
		next = "choose a place that is root's own" // as /tmp is everybody's
	}
	return fmt.Errorf("%s has mode %04o, so that others may write to it; %s", e.path, e.stat.Mode&0o7777, next)
}

// target returns where a link leads.
func (e entry) target() (string, error) {
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(e.fd, "", text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.path, err)
	}
	return string(text[:n]), nil
}

// walk is the way to a path's end, from folder to folder.
type walk struct {
	here  entry
	names []string // what is ahead
	given int      // how many of them, at the end, stand in the path that was given
	links int      // how many links were followed
}

// find opens what is at path and checks it and all on the way. Links are followed
// here and not by the kernel, so that each is looked at.
func find(path string) (entry, error) {
	if !strings.HasPrefix(path, "/") {
		return entry{}, fmt.Errorf("%q is not an absolute path", path)
	}
	root, err := open(unix.AT_FDCWD, "/", "/")
	if err != nil {
		return entry{}, about(path, err)
	}
	w := walk{here: root, names: split(path)}
	w.given = len(w.names)
	for len(w.names) > 0 {
		if err := w.step(); err != nil {
			w.here.close()
			return entry{}, about(path, err)
		}
	}
	return w.here, nil
}

// split returns the names of a path.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// step goes on by one name.
func (w *walk) step() error {
	name := w.names[0]
	w.names = w.names[1:]
	ofLink := len(w.names) >= w.given
	w.given = min(w.given, len(w.names))
	next, err := open(w.here.fd, name, strings.TrimSuffix(w.here.path, "/")+"/"+name)
	if ofLink && errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("a link leads to %s/%s, which is not there", strings.TrimSuffix(w.here.path, "/"), name)
	}
	if err != nil {
		return err
	}
	if next.is(unix.S_IFLNK) {
		defer next.close()
		return w.follow(next)
	}
	w.here.close()
	w.here = next
	return nil
}

// follow puts the target of a link in its place.
func (w *walk) follow(link entry) error {
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("%s: %w", link.path, unix.ELOOP)
	}
	target, err := link.target()
	if err != nil {
		return err
	}
	w.names = append(split(target), w.names...)
	if !strings.HasPrefix(target, "/") {
		return nil
	}
	root, err := open(unix.AT_FDCWD, "/", "/")
	if err == nil {
		w.here.close()
		w.here = root
	}
	return err
}
