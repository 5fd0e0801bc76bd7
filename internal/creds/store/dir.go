package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// dir is an open folder. Everything in it is reached through its descriptor and
// no link in it is followed.
type dir struct {
	fd   int
	path string
}

// foreignError is the refusal of a folder that belongs to another user.
type foreignError struct {
	path string
	uid  uint32
}

// Error says whose the folder is.
func (e foreignError) Error() string {
	return fmt.Sprintf("%s belongs to user %d, not to user %d who runs the driver; remove it", e.path, e.uid, os.Geteuid())
}

// openDir opens the folder name in the folder parent, which may be unix.AT_FDCWD.
// A link in its place is an error, as is a folder of another user.
func openDir(parent int, name, path string) (dir, error) {
	fd, err := openat(parent, name, path, unix.S_IFDIR, unix.O_RDONLY)
	return dir{fd, path}, err
}

// openat opens name in the folder parent if it is of that kind and this user's.
// It follows no link, and opens the very file that it has looked at. Rights that
// a job took from a file of this user are given back.
func openat(parent int, name, path string, kind uint32, flags int) (int, error) {
	handle, err := unix.Openat(parent, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	defer dir{fd: handle}.close()
	var stat unix.Stat_t
	if err := unix.Fstat(handle, &stat); err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != kind {
		return -1, fmt.Errorf("%s: %w", path, kindError(kind))
	}
	if int(stat.Uid) != os.Geteuid() {
		return -1, foreignError{path, stat.Uid}
	}
	flags |= unix.O_NONBLOCK | unix.O_CLOEXEC
	fd, err := unix.Open(procPath(handle), flags, 0)
	if errors.Is(err, unix.EACCES) && unix.Chmod(procPath(handle), 0o700) == nil {
		fd, err = unix.Open(procPath(handle), flags, 0)
	}
	if err != nil {
		return -1, fmt.Errorf("%s: %w", path, err)
	}
	return fd, nil
}

// kindError says that something is not of a kind.
func kindError(kind uint32) error {
	if kind == unix.S_IFDIR {
		return errors.New("a link or a file stands where a folder must be; remove it")
	}
	return errors.New("not a regular file")
}

// procPath returns a path of an open file that no rename can turn elsewhere.
func procPath(fd int) string { return fmt.Sprintf("/proc/self/fd/%d", fd) }

// close releases the descriptor.
func (d dir) close() { _ = unix.Close(d.fd) }

// join returns the path of name in d, for messages.
func (d dir) join(name string) string { return filepath.Join(d.path, name) }

// errorf gives an error the path that it is about.
func (d dir) errorf(name string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EEXIST) {
		err = errors.New("something stands there already; it is left alone")
	}
	return fmt.Errorf("%s: %w", d.join(name), err)
}

// mkdir makes and opens a folder in d that only its owner can enter.
func (d dir) mkdir(name string) (dir, error) {
	if err := unix.Mkdirat(d.fd, name, 0o700); err != nil {
		return dir{}, d.errorf(name, err)
	}
	return openDir(d.fd, name, d.join(name))
}

// create writes a new file that only its owner can read. A file, link, FIFO or
// folder of that name is an error and stays as it is; a write that fails leaves
// no file.
func (d dir) create(name string, content []byte) error {
	fd, err := unix.Openat(d.fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return d.errorf(name, err)
	}
	f := os.NewFile(uintptr(fd), d.join(name))
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, d.shred(name))
	}
	return nil
}

// open opens the regular file name.
func (d dir) open(name string, flags int) (*os.File, error) {
	fd, err := openat(d.fd, name, d.join(name), unix.S_IFREG, flags)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), d.join(name)), nil
}

// read returns the content of the regular file name, of at most limit bytes.
func (d dir) read(name string, limit int64) ([]byte, error) {
	f, err := d.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = d.errorf(name, fmt.Errorf("larger than %d bytes", limit))
	}
	return content, err
}

// shred overwrites the regular file name with zeros, syncs and removes it, so
// that a second name of the file holds no secret either. Anything else of that
// name is only removed. On file systems that do not write in place, the old
// bytes may stay on the disk; on a tmpfs they do not.
func (d dir) shred(name string) error {
	var overwritten error
	if f, err := d.open(name, unix.O_WRONLY); err == nil {
		overwritten = errors.Join(zero(f), f.Close())
	}
	err := unix.Unlinkat(d.fd, name, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EISDIR) {
		err = nil // a folder holds nothing of ours; removeAll takes it
	}
	return errors.Join(overwritten, d.errorf(name, err))
}

// zero overwrites f, as far as an env file can reach, and syncs it.
func zero(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	_, err = f.Write(make([]byte, min(info.Size(), maxEnvFile)))
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return f.Truncate(0) // a hole on a full disk: there is nothing to overwrite
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

// removeAll removes the folder name and all that is in it, following no link
// out of d. A folder that is not there is no error.
func (d dir) removeAll(name string) error {
	root, err := os.OpenRoot(procPath(d.fd))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.RemoveAll(name); !errors.Is(err, fs.ErrPermission) {
		return d.errorf(name, err)
	}
	_ = unix.Fchmod(d.fd, 0o700)
	_ = fs.WalkDir(root.FS(), name, func(path string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = root.Chmod(path, 0o700) // a job took the rights; RemoveAll says where they stay taken
		}
		return nil
	})
	return d.errorf(name, root.RemoveAll(name))
}
