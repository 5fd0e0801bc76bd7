package workdir

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Bounds of a skeleton. It is for settings, and a job waits while it is copied.
const (
	maxEntries = 10000
	maxBytes   = 64 << 20
)

// copier copies a tree of files that only root and the driver's user can change.
type copier struct {
	to      Owner
	entries int
	bytes   int64
	failed  string // path of the entry that cannot be copied
}

// copyInto copies what is in the folder from into the folder to, which then belongs to the
// owner and is closed to all others. The owner cannot reach to meanwhile.
func copyInto(to, from string, owner Owner) error {
	target, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer target.Close()
	source, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer source.Close()
	c := &copier{to: owner}
	if err := c.folder(target, source, "."); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(from, c.failed), err)
	}
	return errors.Join(target.Chmod(".", 0o700), target.Chown(".", int(owner.UID), int(owner.GID)))
}

// folder copies what is in the folder path of source into the same folder of target.
func (c *copier) folder(target, source *os.Root, path string) error {
	dir, err := source.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(maxEntries + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, name := range names {
		if err := c.entry(target, source, filepath.Join(path, name)); err != nil {
			c.failed = cmp.Or(c.failed, filepath.Join(path, name))
			return err
		}
	}
	return nil
}

// entry copies one entry of a folder, and gives it to the owner.
func (c *copier) entry(target, source *os.Root, path string) error {
	if c.entries++; c.entries > maxEntries {
		return fmt.Errorf("the folder has more than %d files; it is for settings", maxEntries)
	}
	info, err := source.Lstat(path)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case os.ModeSymlink:
		err = c.link(target, source, path)
	case os.ModeDir:
		err = errors.Join(checkAdmins(info), target.Mkdir(path, 0o700))
		if err == nil {
			err = c.folder(target, source, path)
		}
	case 0:
		err = c.file(target, source, path)
	default:
		err = errors.New("it is neither a file nor a folder nor a link; remove it")
	}
	if err == nil && info.Mode().Type() != os.ModeSymlink {
		err = target.Chmod(path, info.Mode().Perm())
	}
	if err == nil {
		err = target.Lchown(path, int(c.to.UID), int(c.to.GID))
	}
	return err
}

// link copies a symbolic link, without following it.
func (c *copier) link(target, source *os.Root, path string) error {
	to, err := source.Readlink(path)
	if err != nil {
		return err
	}
	return target.Symlink(to, path)
}

// file copies a regular file.
func (c *copier) file(target, source *os.Root, path string) error {
	from, err := source.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if err := checkAdmins(info); err != nil {
		return err
	}
	to, err := target.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(from, maxBytes+1-c.bytes))
	if c.bytes += n; c.bytes > maxBytes {
		err = fmt.Errorf("the folder has more than %d bytes; it is for settings", maxBytes)
	}
	return errors.Join(err, to.Close())
}

// checkAdmins returns an error unless only root and the driver's user can change a file or
// folder.
func checkAdmins(info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user than root; chown it to root")
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others can write to it (mode %04o); chmod go-w it", info.Mode().Perm())
	}
	return nil
}
