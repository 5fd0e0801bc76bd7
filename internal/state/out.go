package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"rolecall/internal/mask"
)

// OwnError says what is wrong with a file that a script has made.
type OwnError struct{ why string }

// Error says what is wrong, without a path: the job's author does not choose it.
func (e OwnError) Error() string { return e.why }

// ReadOwn reads a file that a script has made in the job's own folder, and removes it. It follows no
// link, and waits for no other process. The file must be a regular one with one name, of a user that
// is one of the job's, and of at most limit bytes; else the error is an OwnError. If there is no
// such file, the content is nil.
func (f *Folder) ReadOwn(name string, limit int64, isUser func(uid uint32) bool) ([]byte, error) {
	d, err := f.openOwn(isUser)
	if d == nil {
		return nil, err
	}
	defer d.close()
	content, err := d.readJobs(name, limit, isUser)
	if err != nil { // it may be a second name of a file that the job needs
		return nil, errors.Join(err, d.discard(name, d.unlink))
	}
	return content, d.discard(name, d.shred)
}

// openOwn opens the job's own folder. It returns nil if there is none: a script may have removed it.
func (f *Folder) openOwn(isUser func(uid uint32) bool) (*dir, error) {
	own := f.OwnDir()
	if own == "" {
		return nil, nil
	}
	d, err := openAnyDir(unix.AT_FDCWD, own, own)
	switch {
	case err != nil:
		return nil, present(err)
	case !isMe(d.owner) && !isUser(d.owner):
		d.close()
		return nil, foreignError{own, d.owner}
	}
	return &d, nil
}

// readJobs reads a file of the job in d.
func (d dir) readJobs(name string, limit int64, isUser func(uid uint32) bool) ([]byte, error) {
	fd, _, err := openat(d.fd, name, d.join(name), unix.S_IFREG, unix.O_RDONLY)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, d.odd(name, err)
	}
	f := os.NewFile(uintptr(fd), d.join(name))
	defer f.Close()
	if err := checkJobs(fd, limit, isUser); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = OwnError{fmt.Sprintf("has more than %d bytes", limit)}
	}
	return content, err
}

// checkJobs checks the open file of a job.
func checkJobs(fd int, limit int64, isUser func(uid uint32) bool) error {
	var stat unix.Stat_t
	switch err := unix.Fstat(fd, &stat); {
	case err != nil:
		return err
	case stat.Nlink != 1:
		return OwnError{"has a second name; it must be a file of its own"}
	case !isUser(stat.Uid):
		return OwnError{"does not belong to the user of the job"}
	case stat.Size > limit:
		return OwnError{fmt.Sprintf("has %d bytes, and may have %d", stat.Size, limit)}
	}
	return nil
}

// odd returns an error of openat as an OwnError if that is so because of what the job has made.
func (d dir) odd(name string, err error) error {
	var stat unix.Stat_t
	if unix.Fstatat(d.fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil && stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return OwnError{"is not a regular file"}
	}
	return err
}

// discard removes a file of the job, or what else has the name. A folder stays: it goes with the job.
func (d dir) discard(name string, remove func(string) error) error {
	err := remove(name)
	if errors.Is(err, unix.EISDIR) {
		return nil
	}
	return err
}

// Conceal makes texts secrets of the job: later stages mask them, and the gate looks for them.
func (f *Folder) Conceal(secrets []mask.Named) error {
	if len(secrets) == 0 {
		return nil
	}
	kept, err := openDir(f.dir.fd, keptName, f.dir.join(keptName))
	if err != nil {
		return err
	}
	defer kept.close()
	if err := kept.lockFor(lockTime); err != nil {
		return err
	}
	i, err := f.readIssued()
	if err != nil {
		return err
	}
	content, err := i.with(secrets).encode()
	if err != nil {
		return err
	}
	return f.dir.exchange(issuedName, issuedNew, content)
}

// with returns what was issued, with more secrets.
func (i issued) with(secrets []mask.Named) issued {
	i.old = slices.Clone(i.old)
	for _, s := range secrets {
		if !holds(i.set.Secrets(), s) && !holds(i.old, s) {
			i.old = append(i.old, s)
		}
	}
	return i
}
