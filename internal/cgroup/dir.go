package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxDepth bounds how deep the groups of a job may be nested: each level needs a
// descriptor.
const maxDepth = 200

// dir is the open folder of a cgroup. Its files are opened relative to its descriptor.
// There are no symbolic links in a cgroup file system.
type dir struct {
	fd    int
	path  string
	kind  Kind
	depth int // levels below the folder that openDir opened
}

// openDir opens the folder of a cgroup and determines its kind.
func openDir(path string) (dir, error) {
	d := dir{path: path}
	var err error
	if d.fd, err = unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		return d, d.errorf("", err)
	}
	var stat unix.Statfs_t
	if err = unix.Fstatfs(d.fd, &stat); err == nil {
		switch stat.Type {
		case unix.CGROUP2_SUPER_MAGIC:
			d.kind = V2
		case unix.CGROUP_SUPER_MAGIC:
			d.kind = V1
		default:
			err = errors.New("not a cgroup")
		}
	}
	if err != nil {
		d.close()
	}
	return d, d.errorf("", err)
}

// open opens the group name in d, and no other: all that is killed was opened here. The name
// ".." would lead to the processes of the whole host, and "." to those beside this one.
func (d dir) open(name string) (dir, error) {
	child := dir{path: d.path + "/" + name, kind: d.kind, depth: d.depth + 1}
	if name == "" || name == "." || name == ".." || strings.Contains(name, "/") {
		return child, d.errorf("", fmt.Errorf("%q is no name of a group in it", name))
	}
	if child.depth > maxDepth {
		return child, child.errorf("", fmt.Errorf("groups are nested more than %d deep", maxDepth))
	}
	var err error
	child.fd, err = unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	return child, child.errorf("", err)
}

// close closes the descriptor.
func (d dir) close() { _ = unix.Close(d.fd) }

// errorf returns err with the path of the file name in d before it, and nil for nil.
func (d dir) errorf(name string, err error) error {
	if err == nil {
		return nil
	}
	if name != "" {
		name = "/" + name
	}
	return fmt.Errorf("%s%s: %w", d.path, name, err)
}

// read returns the content of a file.
func (d dir) read(name string) (string, error) {
	fd, err := unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", d.errorf(name, err)
	}
	file := os.NewFile(uintptr(fd), d.path+"/"+name)
	defer file.Close()
	content, err := io.ReadAll(file)
	return string(content), err
}

// write writes a value to a file.
func (d dir) write(name, value string) error {
	fd, err := unix.Openat(d.fd, name, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return d.errorf(name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	_, err = unix.Write(fd, []byte(value))
	return d.errorf(name, err)
}

// children returns the names of the groups in d.
func (d dir) children() ([]string, error) {
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // a new descriptor starts at the first entry
	if err != nil {
		return nil, d.errorf("", err)
	}
	folder := os.NewFile(uintptr(fd), d.path)
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// walk calls visit for each group below d, and then for d. Errors do not stop it. It
// skips groups that are gone.
func (d dir) walk(visit func(dir) error) error {
	names, err := d.children()
	err = unlessGone(err)
	for _, name := range names {
		err = errors.Join(err, unlessGone(d.walkChild(name, visit)))
	}
	return errors.Join(err, unlessGone(visit(d)))
}

// walkChild is walk for the group name in d.
func (d dir) walkChild(name string, visit func(dir) error) error {
	child, err := d.open(name)
	if err != nil {
		return err
	}
	defer child.close()
	return child.walk(visit)
}

// remove removes the group name in d and the groups below it. It is not an error if they
// are gone.
func (d dir) remove(name string) error {
	child, err := d.open(name)
	if err != nil {
		return unlessGone(err)
	}
	defer child.close()
	if err := child.removeChildren(); err != nil {
		return err
	}
	return unlessGone(d.errorf(name, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR)))
}

// removeChildren removes the groups in d. It is not an error if d is gone.
func (d dir) removeChildren() error {
	names, err := d.children()
	err = unlessGone(err)
	for _, name := range names {
		err = errors.Join(err, d.remove(name))
	}
	return err
}

// unlessGone returns err, but nil if err says that a cgroup or its file is gone.
func unlessGone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
