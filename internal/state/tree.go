package state

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// unlink removes a name that is not a folder. A missing name is not an error.
func (d dir) unlink(name string) error {
	return present(d.errorf(name, unix.Unlinkat(d.fd, name, 0)))
}

// rmdir removes the empty folder name. A missing folder is not an error.
func (d dir) rmdir(name string) error {
	return present(d.errorf(name, mounted(unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR))))
}

// strip removes all files from d but the names to keep, overwrites those that may hold
// secrets, and returns the names of the folders in d.
func (d dir) strip(until time.Time, keep []string) ([]string, error) {
	list, err := openAnyDir(d.fd, ".", d.path) // a new descriptor reads from the beginning
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(list.fd), d.path)
	defer f.Close()
	var folders []string
	for {
		names, err := f.Readdirnames(1024)
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(keep, name) })
		more, problems := d.removeFiles(names)
		folders = append(folders, more...)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, unix.ENOENT) {
			return nil, errors.Join(problems, err)
		}
		if err != nil || problems != nil {
			return folders, problems
		}
		if time.Now().After(until) {
			return nil, d.errorf("", errLate)
		}
	}
}

// removeFiles removes the files among the names, and returns those that are folders.
func (d dir) removeFiles(names []string) (folders []string, problems error) {
	for _, name := range names {
		err := d.unlinkOrShred(name)
		if errors.Is(err, unix.EISDIR) {
			folders = append(folders, name)
		} else {
			problems = errors.Join(problems, err)
		}
	}
	return folders, problems
}

// unlinkOrShred removes a file, and overwrites one that may hold secrets.
func (d dir) unlinkOrShred(name string) error {
	if isSecret(name) {
		return d.shred(name)
	}
	return d.unlink(name)
}

// empty removes the content of d, however deep, but the names to keep. To need few
// descriptors, it moves a folder up into d, removes the files in the folder, and then
// moves its subfolders up in turn. A folder that a file system is mounted on cannot be
// moved, so its content is neither touched nor read.
func (d dir) empty(until time.Time, keep ...string) error {
	folders, problems := d.strip(until, keep)
	for len(folders) > 0 {
		if time.Now().After(until) {
			return errors.Join(problems, d.errorf("", errLate))
		}
		name := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		if d.rmdir(name) == nil {
			continue // most folders of one that has very many are empty
		}
		moved := newName()
		err := d.move(name, d, moved)
		if err == nil {
			var more []string
			more, err = d.dissolve(moved, until)
			folders = append(folders, more...)
		}
		problems = errors.Join(problems, present(err))
	}
	return problems
}

// errLate says that a folder of a job holds more than can be removed in a stage.
var errLate = errors.New("holds too many files to remove in time; remove it by hand")

// present returns err, or nil if err says that the file does not exist: another process
// may remove it at the same time.
func present(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// newName returns a name that no file has.
func newName() string { return fmt.Sprintf(".%016x", rand.Uint64()) } //nolint:gosec // it need not be a secret

// move renames the file or folder name to the name as in the folder to.
func (d dir) move(name string, to dir, as string) error {
	err := unix.Renameat(d.fd, name, to.fd, as)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		if folder, err := openAnyDir(d.fd, name, d.join(name)); err == nil { // it restores its rights
			folder.close()
		}
		err = unix.Renameat(d.fd, name, to.fd, as)
	}
	return d.errorf(name, mounted(err))
}

// mounted returns err, or what it means if a folder cannot be moved or removed since a
// file system is mounted on it.
func mounted(err error) error {
	if errors.Is(err, unix.EBUSY) {
		return errors.New("a file system is mounted there; unmount it")
	}
	return err
}

// dissolve removes the folder name in d. It moves the subfolders into d and returns
// their new names.
func (d dir) dissolve(name string, until time.Time) ([]string, error) {
	folder, err := openAnyDir(d.fd, name, d.join(name))
	if err != nil {
		return nil, err
	}
	defer folder.close()
	if !isMe(d.owner) && folder.owner != d.owner {
		return nil, foreignError{folder.path, folder.owner} // a third user's, whom the job's user must not have robbed
	}
	inside, problems := folder.strip(until, nil)
	moved, err := folder.moveUp(inside, d)
	if problems = errors.Join(problems, err); problems != nil {
		return moved, problems
	}
	if err = d.rmdir(name); errors.Is(err, unix.ENOTEMPTY) {
		return append(moved, name), nil // a process still writes there
	}
	return moved, err
}

// moveUp moves subfolders of d into the folder to, and returns their new names.
func (d dir) moveUp(names []string, to dir) (moved []string, problems error) {
	for _, name := range names {
		if d.rmdir(name) == nil {
			continue
		}
		as := newName()
		err := d.moveOwn(name, to, as)
		if err == nil {
			moved = append(moved, as)
		}
		problems = errors.Join(problems, present(err))
	}
	return moved, problems
}

// moveOwn moves the subfolder name to to/as. If d belongs to a job's user, a subfolder
// of a third user may have been planted there, and the job must not have it removed.
// The owner is therefore checked after the move, when no job can exchange the folder any
// more: a foreign folder is moved back and reported.
func (d dir) moveOwn(name string, to dir, as string) error {
	if err := d.move(name, to, as); err != nil || isMe(d.owner) {
		return err
	}
	var stat unix.Stat_t
	err := unix.Fstatat(to.fd, as, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && stat.Uid != d.owner {
		err = errors.Join(foreignError{d.join(name), stat.Uid}, to.move(as, d, name))
	}
	return err
}
