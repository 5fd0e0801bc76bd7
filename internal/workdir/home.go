package workdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
)

// Owner is a unix user and group that folders are made for.
type Owner struct{ UID, GID uint32 }

// HomeOf returns where the HOME of jobs is that work in a folder such as alpha/protected:
// beside it.
func HomeOf(folder string) string { return folder + ".home" }

// MakePassage creates the folders names below base as Make does, but the last of them, too,
// belongs to the driver's user, and others can only pass through it.
func MakePassage(base, names string) error {
	fd, err := openPassages(base, names)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err
}

// MakeHome creates the folders names below base as Make does. If the last of them does not
// exist, it becomes a copy of the folder skeleton; with an empty skeleton it is empty. A
// user never sees half of a copy: the copy is made under another name, while the folder
// above is locked.
//
// Only root and the driver's user may be able to change the skeleton, by the rules of
// package adminfile, or anything in it. It may have regular files, folders and symbolic
// links. The links are copied as they are, and not followed.
func MakeHome(base, names, skeleton string, to Owner) error {
	fd, err := openPassages(base, filepath.Dir(names))
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	path := filepath.Join(base, names)
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		return fmt.Errorf("%s: %w", filepath.Dir(path), err)
	}
	name := filepath.Base(names)
	err = unix.Faccessat(fd, name, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err != nil && skeleton != "" {
		return copyHome(fd, path, skeleton, to)
	}
	return makeOwned(fd, name, path, int(to.UID), int(to.GID))
}

// copyHome makes a copy of the skeleton at path, in the folder parent.
func copyHome(parent int, path, skeleton string, to Owner) error {
	if err := adminfile.Check(skeleton); err != nil {
		return err
	}
	name := filepath.Base(path)
	unfinished := path + ".new"
	if err := os.RemoveAll(unfinished); err != nil { // nobody but the driver's user can have made it
		return err
	}
	if err := unix.Mkdirat(parent, name+".new", 0o700); err != nil {
		return fmt.Errorf("%s: %w", unfinished, err)
	}
	if err := copyInto(unfinished, skeleton, to); err != nil {
		return errors.Join(err, os.RemoveAll(unfinished))
	}
	if err := unix.Renameat(parent, name+".new", parent, name); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
