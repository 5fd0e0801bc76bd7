package state

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
)

// shred overwrites the regular file name with zeros, syncs and removes it, so that a
// second name of the file holds no secret either. Whatever else has the name is only
// removed. So is a file that does not belong to the owner of the folder: a job may have
// linked it there. In the driver's own folders, the driver made all files. On file
// systems that do not write in place, the old bytes may stay on the disk; on a tmpfs
// they do not.
func (d dir) shred(name string) error {
	return errors.Join(d.overwrite(name), d.unlink(name))
}

// overwrite overwrites the regular file name if shred may. A file that cannot be opened
// is not an error.
func (d dir) overwrite(name string) error {
	fd, owner, err := openat(d.fd, name, d.join(name), unix.S_IFREG, unix.O_WRONLY)
	if err != nil {
		return nil //nolint:nilerr // there is nothing to overwrite, or unlink reports the error
	}
	f := os.NewFile(uintptr(fd), d.join(name))
	if owner == d.owner || isMe(d.owner) {
		err = zero(f, reach(name))
	}
	return errors.Join(err, f.Close())
}

// reach returns how many bytes of a file of that name the driver may have written. A job
// may make its own files longer.
func reach(name string) int64 {
	if name == issuedName || name == issuedNew || heldID(name) != 0 {
		return maxIssued
	}
	if strings.HasSuffix(name, parcelEnd) {
		return maxParcel
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
		return f.Truncate(0) // the file has a hole on a full disk: there is nothing to overwrite
	}
	if err != nil {
		return err
	}
	return f.Sync()
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
