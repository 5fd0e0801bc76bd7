package state

import (
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// OwnHere is the Own of a Record for Create: the job's own folder is in the folder of the
// job.
const OwnHere = ownName

// OwnDir returns the path of the job's own folder, and "" if the job has none. Create
// makes the folder empty and closed to all but the driver's user.
func (f *Folder) OwnDir() string {
	if f.record.Own == ownName {
		return f.dir.join(ownName)
	}
	return f.record.Own
}

// Began returns when the job began: when its record was made.
func (f *Folder) Began() (time.Time, error) {
	var stat unix.Stat_t
	err := unix.Fstatat(f.dir.fd, string(f.phase), &stat, unix.AT_SYMLINK_NOFOLLOW)
	return time.Unix(stat.Mtim.Unix()), f.dir.errorf(string(f.phase), err)
}

// makeOwn makes the job's own folder. One that an earlier attempt has left goes first.
func (f *Folder) makeOwn() error {
	parent, err := f.ownParent()
	if err != nil || parent == nil {
		return err
	}
	defer parent.close()
	name := filepath.Base(f.record.Own)
	if err := f.removeOwnFrom(*parent, name, time.Now().Add(removeTime)); err != nil {
		return err
	}
	made, err := parent.mkdir(name)
	if err == nil {
		made.close()
	}
	return err
}

// removeOwn removes the job's own folder, if it is still there.
func (f *Folder) removeOwn(until time.Time) error {
	parent, err := f.ownParent()
	if errors.Is(err, fs.ErrNotExist) || isPlanted(err) {
		return nil // the driver has made nothing there
	}
	if err != nil || parent == nil {
		return err
	}
	defer parent.close()
	return f.removeOwnFrom(*parent, filepath.Base(f.record.Own), until)
}

// ownParent opens the folder that the job's own folder is in. Outside of the folder of the
// job this is a folder of the driver's user, and the own folder's name is the job's id. A
// record that names another place is not ours: it is as good as one that names none, and
// the result is nil.
func (f *Folder) ownParent() (*dir, error) {
	parent, err := dir{}, error(nil)
	switch path := f.record.Own; {
	case path == ownName:
		parent, err = openDir(f.dir.fd, ".", f.dir.path)
	case filepath.IsAbs(path) && filepath.Base(path) == f.id.String():
		parent, err = openDir(unix.AT_FDCWD, filepath.Dir(path), filepath.Dir(path))
	default:
		return nil, nil
	}
	return &parent, err
}

// removeOwnFrom removes the folder name in parent with its content. The folder must belong
// to the job's user or to the driver's.
func (f *Folder) removeOwnFrom(parent dir, name string, until time.Time) error {
	if err := parent.unlink(name); !errors.Is(err, unix.EISDIR) {
		return err // not a folder
	}
	if err := parent.rmdir(name); !errors.Is(err, unix.ENOTEMPTY) {
		return err // it was empty, or a file system is mounted there
	}
	folder, err := openAnyDir(parent.fd, name, parent.join(name))
	if err != nil {
		return present(err)
	}
	defer folder.close()
	if uid := folder.owner; !isMe(uid) && (f.record.Owner == nil || f.record.Owner.UID != uid) {
		return foreignError{folder.path, uid}
	}
	if err := folder.empty(until); err != nil {
		return err
	}
	return parent.rmdir(name)
}
