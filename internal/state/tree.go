package state

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
)

// shred overwrites the regular file name with zeros, syncs and removes it, so
// that a second name of the file holds no secret either. Anything else of that
// name is only removed, as is a file of somebody who is not the owner of the
// folder: a job may have linked it there. In the driver's own folders all files
// are the driver's work. On file systems that do not write in place, the old bytes
// may stay on the disk; on a tmpfs they do not.
func (d dir) shred(name string) error {
	var overwritten error
	fd, owner, err := openat(d.fd, name, d.join(name), unix.S_IFREG, unix.O_WRONLY)
	if err == nil {
		f := os.NewFile(uintptr(fd), d.join(name))
		if owner == d.owner || int(d.owner) == os.Geteuid() {
			overwritten = zero(f, reach(name))
		}
		overwritten = errors.Join(overwritten, f.Close())
	}
	return errors.Join(overwritten, d.unlink(name))
}

// reach returns how many bytes of a file of that name can be the driver's work. A job
// may make its own files longer.
func reach(name string) int64 {
	if name == issuedName || name == issuedNew {
		return maxIssued
	}
	return creds.MaxFile
}

// zero overwrites at most limit bytes of f, and syncs it.
func zero(f *os.File, limit int64) error {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	_, err = f.Write(make([]byte, min(info.Size(), limit)))
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return f.Truncate(0) // a hole on a full disk: there is nothing to overwrite
	}
	if err != nil {
		return err
	}
	return f.Sync()
}

// unlink removes a name that is no folder. One that is gone is no error.
func (d dir) unlink(name string) error {
	return present(d.errorf(name, unix.Unlinkat(d.fd, name, 0)))
}

// rmdir removes the empty folder name. One that is gone is no error.
func (d dir) rmdir(name string) error {
	return present(d.errorf(name, unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR)))
}

// strip removes all that is no folder from d but the names to keep, secrets
// overwritten, and returns the names of the folders.
func (d dir) strip(until time.Time, keep []string) ([]string, error) {
	list, err := openAnyDir(d.fd, ".", d.path) // reads from the beginning
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(list.fd), d.path)
	defer f.Close()
	var folders []string
	var problems error
	for {
		names, err := f.Readdirnames(1024)
		for _, name := range names {
			if slices.Contains(keep, name) {
				continue
			}
			err := d.unlinkOrShred(name)
			if errors.Is(err, unix.EISDIR) {
				folders = append(folders, name)
			} else {
				problems = errors.Join(problems, err)
			}
		}
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

// unlinkOrShred removes a name, and overwrites what may hold secrets.
func (d dir) unlinkOrShred(name string) error {
	if isSecret(name) {
		return d.shred(name)
	}
	return d.unlink(name)
}

// isSecret reports whether a file of that name may hold secrets, in a folder of any
// version.
func isSecret(name string) bool {
	if name == issuedName || name == issuedNew || name == issuedEnv {
		return true
	}
	env, _ := filepath.Match(envPattern, name)
	file, _ := filepath.Match(filePattern, name)
	return env || file
}

// empty removes all that is in d but the names to keep, however deep, with few
// descriptors: a folder is first moved up into d, then stripped, and what it holds
// moved up in turn. A folder that a file system is mounted on cannot be moved, so
// nothing in it is touched or even looked at.
func (d dir) empty(until time.Time, keep ...string) error {
	folders, problems := d.strip(until, keep)
	for len(folders) > 0 {
		if time.Now().After(until) {
			return errors.Join(problems, d.errorf("", errLate))
		}
		name := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
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

// present returns err unless it says that something is gone: somebody else removes
// it at the same time.
func present(err error) error {
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// newName returns a name that nothing has.
func newName() string { return fmt.Sprintf(".%016x", rand.Uint64()) } //nolint:gosec // it need not be a secret

// move renames the folder name to a name in another folder.
func (d dir) move(name string, to dir, as string) error {
	err := unix.Renameat(d.fd, name, to.fd, as)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		folder, err := openAnyDir(d.fd, name, d.join(name)) // gives its rights back
		if err != nil {
			return err
		}
		folder.close()
		return d.errorf(name, unix.Renameat(d.fd, name, to.fd, as))
	}
	if errors.Is(err, unix.EBUSY) {
		err = errors.New("a file system is mounted there; unmount it")
	}
	return d.errorf(name, err)
}

// dissolve removes the folder name in d, and returns the new names of the folders
// in it, which are moved into d.
func (d dir) dissolve(name string, until time.Time) ([]string, error) {
	folder, err := openAnyDir(d.fd, name, d.join(name))
	if err != nil {
		return nil, err
	}
	defer folder.close()
	inside, problems := folder.strip(until, nil)
	var moved []string
	for _, below := range inside {
		as := newName()
		err := folder.moveOwn(below, d, as)
		if err == nil {
			moved = append(moved, as)
		}
		problems = errors.Join(problems, present(err))
	}
	if problems != nil {
		return moved, problems
	}
	if err = d.rmdir(name); errors.Is(err, unix.ENOTEMPTY) {
		return append(moved, name), nil // somebody still writes there
	}
	return moved, err
}

// moveOwn moves the folder name, unless d is a job's and the folder of another
// user: a job may have moved it there, and may not have others' files removed.
func (d dir) moveOwn(name string, to dir, as string) error {
	if err := d.move(name, to, as); err != nil || int(d.owner) == os.Geteuid() {
		return err
	}
	var stat unix.Stat_t // of what no job can exchange any more
	err := unix.Fstatat(to.fd, as, &stat, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && stat.Uid != d.owner {
		err = errors.Join(foreignError{d.join(name), stat.Uid}, to.move(as, d, name))
	}
	return err
}
