package metrics

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// replace replaces a file by a rename, so that a reader sees the old or the new one. It does not
// wait for the disk.
func replace(path string, content []byte, mode os.FileMode) error {
	dir, err := openFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := filepath.Base(path)
	temporary := "." + name + ".new"               // node_exporter reads what ends with .prom
	_ = unix.Unlinkat(int(dir.Fd()), temporary, 0) // a process that was killed may have left it
	if err = create(dir, temporary, content, mode); err == nil {
		err = unix.Renameat(int(dir.Fd()), temporary, int(dir.Fd()), name)
	}
	if err != nil {
		_ = unix.Unlinkat(int(dir.Fd()), temporary, 0)
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// create makes a file in a folder, which must not have one of that name.
func create(dir *os.File, name string, content []byte, mode os.FileMode) error {
	fd, err := unix.Openat(int(dir.Fd()), name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(content)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// CheckFolder fails if no file of metrics is written into a folder.
func CheckFolder(path string) error {
	dir, err := openFolder(path)
	if err != nil {
		return err
	}
	return dir.Close()
}

// openFolder opens a folder, and no link on the way: the folder of node_exporter may belong to
// the user of Prometheus, who must not lead root elsewhere. All can write to none.
func openFolder(path string) (*os.File, error) {
	fd, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		if err != nil {
			break
		}
		next, openErr := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		_ = unix.Close(fd)
		fd, err = next, openErr
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, fmt.Errorf("%s: %w; install node_exporter, or make the folder", path, err)
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("%s: a part of it is a link or no folder; name the folder itself", path)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	dir := os.NewFile(uintptr(fd), path)
	if info, err := dir.Stat(); err != nil || info.Mode()&0o002 != 0 {
		return nil, errors.Join(err, dir.Close(), fmt.Errorf("%s: everybody can write to it; chmod o-w it, or choose another folder", path))
	}
	return dir, nil
}
