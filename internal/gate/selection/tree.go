package selection

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Project is the open folder of a job's work tree. The kernel resolves names relative to
// it, as it resolves the runner's names relative to the runner's working directory. So
// both have the same limits for the length of paths and the number of links.
type Project struct {
	// MaxFiles bounds the files that Select returns, of all uploads together, and the files
	// and folders that it lists for one pattern. 0 means no bound.
	MaxFiles int64
	// Temp is a folder for a file without a name, of mode 0600, with the names of many
	// files. Without it these names are in memory.
	Temp string

	fd  int
	dir string // clean absolute path
}

// OpenProject opens the project at dir, an absolute path. It fails if dir is not a folder.
func OpenProject(dir string) (*Project, error) {
	if !filepath.IsAbs(dir) {
		return nil, fmt.Errorf("the project %q is not an absolute path", dir)
	}
	fd, err := openat(unix.AT_FDCWD, dir, unix.O_DIRECTORY)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return &Project{fd: fd, dir: filepath.Clean(dir)}, nil
}

// Close closes the project's descriptor.
func (p *Project) Close() { _ = unix.Close(p.fd) }

// Open opens a file as the runner does, but only for reading and without waiting for the
// other end of a FIFO. It fails if the file is not a regular file. The error is
// fs.ErrNotExist if the file has vanished; then the runner cannot upload it either.
func (p *Project) Open(file File) (*os.File, error) {
	flags := unix.O_NONBLOCK
	if !file.Follow {
		flags |= unix.O_NOFOLLOW
	}
	fd, err := openat(p.fd, file.Path, flags)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: file.Path, Err: err}
	}
	var stat unix.Stat_t
	err = unix.Fstat(fd, &stat)
	if err == nil && stat.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("not a regular file")
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: file.Path, Err: err}
	}
	return os.NewFile(uintptr(fd), file.Path), nil
}

// openat opens name in the folder dir for reading.
func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// entry is the type and size of a file or folder.
type entry struct {
	mode fs.FileMode // type bits only
	size int64       // bytes
}

// stat returns the entry at name. The flags are those of fstatat(2).
func (p *Project) stat(name string, flags int) (entry, error) {
	var stat unix.Stat_t
	err := unix.Fstatat(p.fd, name, &stat, flags)
	for errors.Is(err, unix.EINTR) {
		err = unix.Fstatat(p.fd, name, &stat, flags)
	}
	return entry{fileType(stat.Mode), stat.Size}, err
}

// lstat returns the entry at name itself, even if it is a symbolic link.
func (p *Project) lstat(name string) (entry, error) { return p.stat(name, unix.AT_SYMLINK_NOFOLLOW) }

// fileType converts the type bits of stat(2) to those of Go.
func fileType(mode uint32) fs.FileMode {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return 0
	case unix.S_IFDIR:
		return fs.ModeDir
	case unix.S_IFLNK:
		return fs.ModeSymlink
	case unix.S_IFIFO:
		return fs.ModeNamedPipe
	case unix.S_IFSOCK:
		return fs.ModeSocket
	case unix.S_IFBLK:
		return fs.ModeDevice
	case unix.S_IFCHR:
		return fs.ModeDevice | fs.ModeCharDevice
	}
	return fs.ModeIrregular
}

// readDir returns the entries of the folder name, or only the folders in it, sorted. It
// returns at most one more than MaxFiles.
func (p *Project) readDir(name string, folders bool) ([]fs.DirEntry, error) {
	fd, err := openat(p.fd, name, unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	// ReadDir needs the path on file systems whose entries do not have a type.
	dir := os.NewFile(uintptr(fd), path.Join(p.dir, name))
	defer dir.Close()
	var entries []fs.DirEntry
	for err == nil && (p.MaxFiles <= 0 || int64(len(entries)) <= p.MaxFiles) {
		var some []fs.DirEntry
		some, err = dir.ReadDir(chunk)
		entries = append(entries, slices.DeleteFunc(some, func(e fs.DirEntry) bool { return folders && !e.IsDir() })...)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, err
}

// globFS is the file system in which patterns are matched: a folder of the project, or
// above it. The runner uses os.DirFS. It is an fs.StatFS and an fs.ReadDirFS.
type globFS struct {
	*search
	base    string // relative to the project
	folders bool   // folders have nothing but folders
}

// join returns the path of name. It fails if os.DirFS would: for instance if name is not
// UTF-8.
func (g globFS) join(op, name string) (string, error) {
	if !fs.ValidPath(name) || strings.IndexByte(name, 0) >= 0 {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return g.base + "/" + name, nil
}

// Open is part of the interface, but matching patterns does not use it.
func (g globFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.ErrUnsupported}
}

// Stat returns the info of name, or of its target if it is a symbolic link.
func (g globFS) Stat(name string) (fs.FileInfo, error) {
	full, err := g.join("stat", name)
	if err != nil {
		return nil, err
	}
	e, err := g.stat(full, 0)
	if err != nil {
		if g.folders {
			g.addUnreadable(path.Clean(full), err)
		}
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return info{name: path.Base(name), entry: e}, nil
}

// ReadDir returns the entries of the folder name, sorted.
func (g globFS) ReadDir(name string) ([]fs.DirEntry, error) {
	full, err := g.join("open", name)
	if err != nil {
		return nil, err
	}
	if g.ctx.Err() != nil {
		return nil, g.ctx.Err()
	}
	entries, err := g.readDir(full, g.folders)
	if !g.list(len(entries)) {
		return nil, ErrFiles
	}
	if err != nil {
		g.addUnreadable(path.Clean(full), err)
		err = &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return entries, err
}
