// Package workdir creates the folders that the jobs of a unix user work in.
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

// Make creates the folder names below base, such as alpha/protected, and all folders on
// the way that do not exist. The last folder belongs to uid and gid and is closed to all
// others (mode 0700). Base and the folders between belong to the driver's user; others
// can only pass through them (mode 0711). So a job can neither see nor replace the
// folder of another user.
//
// Only root and the driver's user may be able to change base, by the rules of package
// adminfile. Make creates base itself only if the same is true of its parent. It opens
// each folder below base relative to its parent's descriptor and follows no symbolic
// link. Errors name the folder that is in the way.
func Make(base, names string, uid, gid uint32) error {
	fd, err := openPassages(base, filepath.Dir(names))
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return makeOwned(fd, filepath.Base(names), filepath.Join(base, names), int(uid), int(gid))
}

// openPassages opens the last of the folders names below base, and creates those that do
// not exist. They are the driver's user's, and others can only pass through them.
func openPassages(base, names string) (int, error) {
	if err := makeBase(base); err != nil {
		return -1, err
	}
	fd, err := unix.Open(base, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", base, err)
	}
	path := base
	for name := range strings.SplitSeq(names, "/") {
		path = filepath.Join(path, name)
		parent := fd
		fd, err = openPassage(parent, name, path)
		_ = unix.Close(parent)
		if err != nil {
			return -1, err
		}
	}
	return fd, nil
}

// makeBase creates base if it does not exist, and checks it.
func makeBase(base string) error {
	if err := adminfile.Check(filepath.Dir(base)); err != nil {
		return err
	}
	err := unix.Mkdir(base, 0o711)
	if err == nil {
		err = unix.Chmod(base, 0o711) // the umask may have cleared bits of Mkdir's mode
	}
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%s: %w", base, err)
	}
	return adminfile.Check(base)
}

// openPassage opens a folder that belongs to the driver's user and that others can only
// pass through. It creates the folder if it does not exist.
func openPassage(parent int, name, path string) (int, error) {
	if err := unix.Mkdirat(parent, name, 0o711); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	fd, stat, err := open(parent, name, path)
	if err != nil {
		return -1, err
	}
	if int(stat.Uid) != os.Geteuid() || stat.Mode&0o022 != 0 {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("%s belongs to user %d and has mode %04o; give it to the driver's user, who alone may write to it", path, stat.Uid, stat.Mode&0o7777)
	}
	if err := unix.Fchmod(fd, 0o711); err != nil { // the umask may have cleared bits of Mkdirat's mode
		_ = unix.Close(fd)
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	return fd, nil
}

// makeOwned creates a folder that belongs to the user. A folder that exists already must
// belong to the user or to the driver's user.
func makeOwned(parent int, name, path string, uid, gid int) error {
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
		return fmt.Errorf("%s belongs to user %d, but the job runs as user %d; remove the folder, or change its owner with chown -R", path, stat.Uid, uid)
	} else if stat.Mode&0o777 != 0o700 { // a job may also have closed it to itself
		err = unix.Fchmod(fd, 0o700)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// open opens the folder name in parent. It fails if name is a symbolic link.
func open(parent int, name, path string) (int, unix.Stat_t, error) {
	var stat unix.Stat_t
	fd, err := unix.Openat(parent, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, stat, fmt.Errorf("%s: %w; remove what is at this path", path, err)
	}
	if err := unix.Fstat(fd, &stat); err != nil {
		_ = unix.Close(fd)
		return -1, stat, fmt.Errorf("%s: %w", path, err)
	}
	return fd, stat, nil
}
