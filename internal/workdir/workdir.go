// Package workdir makes the folders that the jobs of a unix user work in.
package workdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
)

// Make makes the folder at names, such as alpha/protected, below base, where they
// are not there. The last one is the user's own, and closed to all others; base and
// those between are the driver's, and others can do no more than pass through. So a
// job can neither see nor replace the folder of another user.
//
// Base must be one that nobody but root and the driver's user can change, as package
// adminfile has it; it is made if its parent is such a one. Everything is reached by
// descriptor, and no link is followed. Errors name the folder that is in the way.
func Make(base, names string, uid, gid uint32) error {
	if err := makeBase(base); err != nil {
		return err
	}
	fd, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", base, err)
	}
	path := base
	for name := range strings.SplitSeq(filepath.Dir(names), "/") {
		path = filepath.Join(path, name)
		parent := fd
		fd, err = enter(parent, name, path)
		_ = unix.Close(parent)
		if err != nil {
			return err
		}
	}
	defer func() { _ = unix.Close(fd) }()
	return give(fd, filepath.Base(names), filepath.Join(path, filepath.Base(names)), int(uid), int(gid))
}

// makeBase makes base where it is not there, and checks it.
func makeBase(base string) error {
	if err := adminfile.Check(filepath.Dir(base)); err != nil {
		return err
	}
	if err := unix.Mkdir(base, 0o711); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %w", base, err)
	}
	return adminfile.Check(base)
}

// enter makes and opens a folder of the driver's own.
func enter(parent int, name, path string) (int, error) {
	if err := unix.Mkdirat(parent, name, 0o711); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	fd, stat, err := open(parent, name, path)
	if err != nil {
		return -1, err
	}
	if int(stat.Uid) != os.Geteuid() || stat.Mode&0o022 != 0 {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("%s belongs to user %d and has mode %04o; it must be the driver's own, and closed to others for writing", path, stat.Uid, stat.Mode&0o7777)
	}
	return fd, unix.Fchmod(fd, 0o711) // whatever the umask took
}

// give makes a folder and gives it to the user.
func give(parent int, name, path string, uid, gid int) error {
	err := unix.Mkdirat(parent, name, 0o700)
	fresh := err == nil
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %w", path, err)
	}
	fd, stat, err := open(parent, name, path)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if fresh || int(stat.Uid) == os.Geteuid() {
		err = errors.Join(unix.Fchmod(fd, 0o700), unix.Fchown(fd, uid, gid))
	} else if int(stat.Uid) != uid {
		return fmt.Errorf("%s belongs to user %d, the job runs as %d; remove it, or give it to the user with chown -R", path, stat.Uid, uid)
	} else if stat.Mode&0o077 != 0 {
		err = unix.Fchmod(fd, 0o700)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// open opens the folder name, which is no link.
func open(parent int, name, path string) (int, unix.Stat_t, error) {
	var stat unix.Stat_t
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, stat, fmt.Errorf("%s: %w; remove what stands there", path, err)
	}
	if err := unix.Fstat(fd, &stat); err != nil {
		_ = unix.Close(fd)
		return -1, stat, fmt.Errorf("%s: %w", path, err)
	}
	return fd, stat, nil
}
