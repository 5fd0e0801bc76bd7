package state

import (
	"errors"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

const (
	removeTime = 20 * time.Second      // bounds the time to remove what a job left
	lockTime   = 2 * time.Second       // bounds the time to wait for a lock
	lockPause  = 10 * time.Millisecond // between two tries
)

// Remove shreds the credentials of a job and removes its folders and link, even if a
// stage still works with them. It is for a job without running processes; Finish is for
// all others. If there is nothing to remove, or if the root is planted, Remove succeeds. The error names the path that is left. If Remove is killed, Sweep
// removes the rest.
func Remove(root string, key job.Key) error {
	top, err := openOwn(root)
	if top == nil {
		return err
	}
	defer top.close()
	return removeFrom(*top, key, false, nil)
}

// Clear removes what an earlier attempt at a job has left, as Create does, and tells of it.
func Clear(root string, key job.Key, tell Tell) error {
	top, err := openOwn(root)
	if top == nil {
		return err
	}
	defer top.close()
	return removeFrom(*top, key, true, tell)
}

// openOwn opens the folder of all jobs. It returns nil if the folder does not exist or is
// planted.
func openOwn(root string) (*dir, error) {
	top, err := openDir(unix.AT_FDCWD, root, root)
	if errors.Is(err, fs.ErrNotExist) || isPlanted(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &top, nil
}

// isPlanted reports whether err says that the root is not a folder of this user. Everybody
// can put something else in the place of a root in /dev/shm or /var/tmp. This user's jobs
// have no state there.
func isPlanted(err error) bool {
	return errors.Is(err, errNoFolder) || errors.As(err, new(foreignError))
}

// removeFrom removes a job from the folder of all jobs. Patient is for a caller that
// makes the job's folder anew. With patient, removeFrom first waits up to lockTime for a
// process that already removes this job: otherwise that process could remove the new
// folder. It also leaves a job unchanged that an older version may still run.
func removeFrom(top dir, key job.Key, patient bool, tell Tell) error {
	d, err := find(top, key.ID)
	if err != nil {
		return present(err)
	}
	defer d.close()
	f := &Folder{id: key.ID, root: top, dir: d}
	wait := time.Duration(0)
	if patient {
		wait = lockTime
		_ = f.dir.lockFor(lockTime) // after that time the folder is removed all the same
	}
	_ = f.load() // the folder is removed even if its record is broken or missing
	if err := f.checkProof(key); err != nil {
		return err
	}
	if patient && f.phase == made && f.record.older() {
		return f.dir.errorf(string(made), errOlder())
	}
	turn, err := f.takeTurn(wait)
	defer turn.close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		tell = nil // who has the turn tells of it
	}
	_, err = f.remove(time.Now().Add(removeTime), tell)
	return err
}

// remove removes the job, and returns it. It first marks the folder. It removes the record
// last, since the record names the link outside of the folder. Before that it tells of the
// job.
func (f *Folder) remove(until time.Time, tell Tell) (Ended, error) {
	if stat, err := f.dir.stat(); err != nil || stat.Nlink == 0 {
		return Ended{}, err // another process has removed it; the link may belong to a new attempt
	}
	_ = f.leave()
	outside := f.removeLink(until)
	if err := f.removeContent(until); err != nil {
		return Ended{}, errors.Join(outside, err)
	}
	f.tellOnce(tell, outside)
	return f.ended(), errors.Join(outside, f.removeRecord(until))
}

// removeContent removes all of the folder but the record: the job's own folder last, which
// may hold so much that the time is not enough.
func (f *Folder) removeContent(until time.Time) error {
	return f.persist(until, func() error {
		if err := f.dir.empty(until, append(lasting(), ownName)...); err != nil {
			return err
		}
		if err := f.removeOwn(until); err != nil {
			return err
		}
		return f.dir.empty(until, lasting()...)
	})
}

// lasting returns the names of the record, and of what is needed as long as there is one.
func lasting() []string { return []string{string(intended), string(made), string(leaving), toldName} }

// removeRecord removes the record, then the rest, then the folder.
func (f *Folder) removeRecord(until time.Time) error {
	return f.persist(until, func() error {
		if err := f.dir.empty(until, toldName); err != nil {
			return err
		}
		if err := f.dir.empty(until); err != nil {
			return err
		}
		return f.rmdir()
	})
}

// persist calls remove until it finds all folders empty: a stage that is still alive may have
// made one more file.
func (f *Folder) persist(until time.Time, remove func() error) error {
	for {
		err := remove()
		if !errors.Is(err, unix.ENOTEMPTY) || time.Now().After(until) {
			return err
		}
	}
}

// rmdir removes the folder itself, unless another folder has its name by now.
func (f *Folder) rmdir() error {
	name := f.id.String()
	err := f.root.rmdir(name)
	if !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	if f.replaced(name) {
		return nil
	}
	return err
}

// replaced reports whether another folder than f has the name.
func (f *Folder) replaced(name string) bool {
	var now unix.Stat_t
	own, err := f.dir.stat()
	return err == nil && unix.Fstatat(f.root.fd, name, &now, unix.AT_SYMLINK_NOFOLLOW) == nil && now.Ino != own.Ino
}
