package adminfile

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks bounds how many symbolic links a path may go through, as path_resolution(7).
const maxLinks = 40

// executable are the rights to execute a file.
const executable = 0o111

// openToOthers are the rights of group and others to write.
const openToOthers = 0o022

// entry is an open file, folder or symbolic link. Its stat was read from its descriptor,
// so that no other file can take its place between a check and its use.
type entry struct {
	fd   int
	path string
	stat unix.Stat_t
}

// open opens name in the folder parent, a descriptor or unix.AT_FDCWD, and checks it.
// Errors name path.
func open(parent int, name, path string) (entry, error) {
	fd, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return entry{}, fmt.Errorf("%s: %w", path, err)
	}
	e := entry{fd: fd, path: path}
	if err = e.examine(); err != nil {
		e.close()
	}
	return e, err
}

// openRoot opens the root of the file system and checks it.
func openRoot() (entry, error) { return open(unix.AT_FDCWD, "/", "/") }

// close releases the descriptor.
func (e entry) close() { _ = unix.Close(e.fd) }

// is reports whether the entry is of the kind, such as unix.S_IFDIR.
func (e entry) is(kind uint32) bool { return e.stat.Mode&unix.S_IFMT == kind }

// examine reads the stat of the entry, and checks it.
func (e *entry) examine() error {
	if err := unix.Fstat(e.fd, &e.stat); err != nil {
		return fmt.Errorf("%s: %w", e.path, err)
	}
	return e.check()
}

// check fails if another user owns the entry, or may replace files in it.
func (e entry) check() error {
	if e.stat.Uid != 0 && int(e.stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d, who could change it; chown -h root %s", e.path, e.stat.Uid, e.path)
	}
	if e.is(unix.S_IFDIR) && e.stat.Mode&unix.S_ISVTX == 0 {
		return e.checkRights()
	}
	return nil
}

// checkTarget checks the entry at the end of a path. It fails if the entry is of none of
// the kinds, or if others may write to it.
func (e entry) checkTarget(kinds ...uint32) error {
	if !slices.ContainsFunc(kinds, e.is) {
		return e.kindError(kinds)
	}
	return e.checkRights()
}

// kindError returns the error that the entry is of none of the kinds.
func (e entry) kindError(kinds []uint32) error {
	if len(kinds) == 1 {
		return fmt.Errorf("%s is not a regular file", e.path)
	}
	return fmt.Errorf("%s is neither a regular file nor a folder", e.path)
}

// checkRights fails if others may write to the entry.
func (e entry) checkRights() error {
	if e.stat.Mode&openToOthers == 0 {
		return nil
	}
	return e.openError()
}

// openError returns the error that others may write to the entry.
func (e entry) openError() error {
	next := "chmod go-w " + e.path + ", or choose another place"
	if e.stat.Mode&unix.S_ISVTX != 0 {
		next = "choose a folder that only root can write to" // a chmod would break /tmp
	}
	return fmt.Errorf("%s has mode %04o, so others may write to it; %s", e.path, e.stat.Mode&0o7777, next)
}

// target returns the text of a symbolic link.
func (e entry) target() (string, error) {
	text := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(e.fd, "", text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", e.path, err)
	}
	return string(text[:n]), nil
}

// walk resolves a path, folder by folder.
type walk struct {
	here  entry
	names []string // still to be opened, in order
	given int      // how many of the last names are from the caller's path, and not from a link
	links int      // how many symbolic links were followed
}

// find opens the file or folder at path, and checks it and everything on the way. It
// follows symbolic links itself: the kernel would follow them unchecked.
func find(path string) (entry, error) {
	if !strings.HasPrefix(path, "/") {
		return entry{}, fmt.Errorf("%q is not an absolute path", path)
	}
	e, err := resolve(split(path))
	return e, withPath(path, err)
}

// resolve does what find does, for the names of a path.
func resolve(names []string) (entry, error) {
	root, err := openRoot()
	if err != nil {
		return entry{}, err
	}
	w := walk{here: root, names: names, given: len(names)}
	for len(w.names) > 0 {
		if err := w.openNext(); err != nil {
			w.here.close()
			return entry{}, err
		}
	}
	return w.here, nil
}

// split returns the names of a path.
func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// openNext opens the next name.
func (w *walk) openNext() error {
	name, ofLink := w.takeName()
	next, err := open(w.here.fd, name, strings.TrimSuffix(w.here.path, "/")+"/"+name)
	if ofLink && errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("a link leads to %s/%s, which does not exist", strings.TrimSuffix(w.here.path, "/"), name)
	}
	if err != nil {
		return err
	}
	if next.is(unix.S_IFLNK) {
		defer next.close()
		return w.follow(next)
	}
	w.enter(next)
	return nil
}

// takeName takes the next name from those that are left. It reports whether the name is
// from a symbolic link.
func (w *walk) takeName() (name string, ofLink bool) {
	name, w.names = w.names[0], w.names[1:]
	ofLink = len(w.names) >= w.given
	w.given = min(w.given, len(w.names))
	return name, ofLink
}

// enter goes on from the entry e.
func (w *walk) enter(e entry) {
	w.here.close()
	w.here = e
}

// follow puts the target of a symbolic link before the names that are left.
func (w *walk) follow(link entry) error {
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("%s: %w", link.path, unix.ELOOP)
	}
	target, err := link.target()
	if err != nil {
		return err
	}
	w.names = append(split(target), w.names...)
	if strings.HasPrefix(target, "/") {
		return w.enterRoot()
	}
	return nil
}

// enterRoot goes on from the root of the file system.
func (w *walk) enterRoot() error {
	root, err := openRoot()
	if err == nil {
		w.enter(root)
	}
	return err
}
