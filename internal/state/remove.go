package state

import (
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

const (
	removeTime = 20 * time.Second      // how long it may take to remove what a job left
	lockTime   = 2 * time.Second       // how long to wait for who has a lock
	lockPause  = 10 * time.Millisecond // between two tries
)

// Remove shreds the credentials of a job and removes its folders and link, whoever
// works with them: a stage that still does finds them gone. It is for a job of which
// nothing runs; Finish is for the others. What is not there, or a
// root of another user, is nothing to remove. The error names the path that is left
// behind. A Remove that is killed half-way leaves a folder that Sweep takes.
func Remove(root string, key job.Key) error {
	top, err := openOwn(root)
	if top == nil {
		return err
	}
	defer top.close()
	return removeFrom(*top, key, false)
}

// openOwn opens the folder of all jobs if it is there and this user's. It is nil
// where it is not.
func openOwn(root string) (*dir, error) {
	top, err := openDir(unix.AT_FDCWD, root, root)
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(foreignError)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &top, nil
}

// removeFrom removes a job from the folder of all jobs. Patient is for who makes the
// job anew: it waits for another process that removes it, so that this one does not
// take what comes after, and leaves alone what an older version still runs.
func removeFrom(top dir, key job.Key, patient bool) error {
	d, err := find(top, key.ID)
	if err != nil {
		return present(err)
	}
	defer d.close()
	f := &Folder{id: key.ID, root: top, dir: d}
	if patient {
		_ = f.dir.lockFor(unix.LOCK_EX, lockTime) // one that does not end in time is not waited for
	}
	_ = f.load() // a record that is broken or missing says nothing against removing
	if err := f.checkProof(key); err != nil {
		return err
	}
	if patient && f.phase == made && f.record.older() {
		return f.dir.errorf(string(made), errOlder())
	}
	return f.remove()
}

// remove removes the job. First it marks the folder; the record, which names what is outside of the folder, goes last.
func (f *Folder) remove() error {
	if stat, err := f.dir.stat(); err != nil || stat.Nlink == 0 {
		return err // somebody else has; what is outside may be of a new attempt by now
	}
	f.leave()
	until := time.Now().Add(removeTime)
	outside := f.removeLink(until)
	for {
		err := f.dir.empty(until, string(intended), string(leaving))
		if err == nil {
			err = f.dir.empty(until)
		}
		if err == nil {
			err = f.rmdir()
		}
		// A stage that is still alive may have made one more file.
		if !errors.Is(err, unix.ENOTEMPTY) || time.Now().After(until) {
			return errors.Join(outside, err)
		}
	}
}

// rmdir removes the folder itself, unless its name is that of another one by now.
func (f *Folder) rmdir() error {
	name := f.id.String()
	err := f.root.rmdir(name)
	if !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	var now unix.Stat_t
	own, statErr := f.dir.stat()
	if statErr == nil && unix.Fstatat(f.root.fd, name, &now, unix.AT_SYMLINK_NOFOLLOW) == nil && now.Ino != own.Ino {
		return nil
	}
	return err
}
