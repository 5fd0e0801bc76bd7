package inspect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate"
	"rolecall/internal/gate/scan"
)

// maxShred bounds how many bytes of a file are overwritten before the file is removed.
const maxShred = 64 << 20

// removeFound removes from the work tree at project the files of places, so that no later
// job finds them there, and says in each place whether it did. It leaves out places that say
// why their file stays.
func removeFound(project string, places []gate.Place) {
	done := map[string]error{}
	for i := range places {
		at := &places[i]
		if at.Stays != "" {
			continue
		}
		err, known := done[at.Name]
		if !known {
			err = removeBelow(project, at.Name)
			done[at.Name] = err
		}
		if at.Removed = err == nil; err != nil {
			at.Stays = err.Error()
		}
	}
}

// removeBelow removes the file at name from the work tree. It follows no link, so
// nothing outside of the tree is changed.
//
// https://man7.org/linux/man-pages/man2/openat2.2.html
func removeBelow(project, name string) error {
	top, err := unix.Open(project, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(top) }()
	parent, err := unix.Openat2(top, path.Dir(name), &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return fmt.Errorf("its folder: %w", err)
	}
	defer func() { _ = unix.Close(parent) }()
	return shred(parent, path.Base(name))
}

// shred overwrites a regular file of this user in the folder parent, and removes it. It
// follows no link, and leaves what is no regular file. A file that this user may not write to, or that has other names, is
// only removed: package managers link files of a cache into work trees.
func shred(parent int, name string) error {
	fd, err := unix.Openat(parent, name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrPermission) {
		return unix.Unlinkat(parent, name, 0) // the file is this user's, who has no right to write to it
	}
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	err = errors.Join(overwrite(f), f.Close())
	if errors.Is(err, scan.ErrIrregular) {
		return err
	}
	return errors.Join(err, unix.Unlinkat(parent, name, 0))
}

// overwrite overwrites the content of a regular file that has no other name.
func overwrite(f *os.File) error {
	var stat unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &stat); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("%w; remove it by hand", scan.ErrIrregular)
	}
	if stat.Nlink > 1 {
		return nil
	}
	if _, err := f.Write(slices.Repeat([]byte{0}, int(min(stat.Size, maxShred)))); err != nil {
		return err
	}
	return f.Sync()
}
