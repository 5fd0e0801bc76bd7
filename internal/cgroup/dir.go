package cgroup

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxDepth bounds how many groups of a job lie one in the other, since each takes a
// descriptor.
const maxDepth = 200

// dir is the open folder of a cgroup. Everything in it is reached through its
// descriptor; a file system of cgroups has no links.
type dir struct {
	fd    int
	path  string
	kind  Kind
	depth int // groups between the one that openDir opened and this one
}

// openDir opens the folder of a cgroup and finds out its kind.
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

// open opens the group name in d.
func (d dir) open(name string) (dir, error) {
	child := dir{path: d.path + "/" + name, kind: d.kind, depth: d.depth + 1}
	if child.depth > maxDepth {
		return child, child.errorf("", fmt.Errorf("more than %d groups, one in the other", maxDepth))
	}
	var err error
	child.fd, err = unix.Openat(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	return child, child.errorf("", err)
}

// close releases the descriptor.
func (d dir) close() { _ = unix.Close(d.fd) }

// errorf returns err with the path of the file name in d, nil for nil.
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
	fd, err := unix.Openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) // it has an offset of its own
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

// walk calls visit for every group below d and then for d, whatever errors there
// are. A group that is gone is passed over.
func (d dir) walk(visit func(dir) error) error {
	names, err := d.children()
	err = present(err)
	for _, name := range names {
		child, childErr := d.open(name)
		if childErr == nil {
			childErr = child.walk(visit)
			child.close()
		}
		err = errors.Join(err, present(childErr))
	}
	return errors.Join(err, present(visit(d)))
}

// remove removes the group name in d with the groups below it. What is gone is no
// error.
func (d dir) remove(name string) error {
	child, err := d.open(name)
	if err != nil {
		return present(err)
	}
	defer child.close()
	names, err := child.children()
	err = present(err)
	for _, n := range names {
		err = errors.Join(err, child.remove(n))
	}
	if err != nil {
		return err
	}
	return present(d.errorf(name, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR)))
}

// present returns err unless it says that a cgroup, or a file of it, is gone.
func present(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
