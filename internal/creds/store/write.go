package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
)

// Write writes the env file: the driver's copy, then that of the job, which comes
// to be whole and in a folder that is not the job's yet. Where it fails, nothing of
// the credentials is left. Where the runner has died by the end nobody would take
// them away: all of the job is then removed, and that is an error.
func (f *Folder) Write(c creds.Credentials) error {
	if err := f.checkRunner(); err != nil {
		return errors.Join(err, f.remove())
	}
	content := c.EnvFile()
	if err := f.dir.create(issuedName, content); err != nil {
		return err
	}
	if err := f.give(content); err != nil {
		return errors.Join(err, f.dir.shred(issuedName))
	}
	if err := f.checkRunner(); err != nil {
		return errors.Join(err, f.remove())
	}
	return nil
}

// checkRunner reports an error where the runner that the job's lease is on has died.
func (f *Folder) checkRunner() error {
	if f.record.Lease == (Lease{}) || f.record.Lease.Alive() {
		return nil
	}
	return fmt.Errorf("the runner of this job, process %d, has died or the job's time is over: it gets no credentials", f.record.Lease.RunnerPID)
}

// give writes the job's own env file.
func (f *Folder) give(content []byte) error {
	kept, err := openDir(f.dir.fd, keptName, f.dir.join(keptName))
	if err != nil {
		return err
	}
	defer kept.close()
	own, err := openDir(f.dir.fd, jobName, f.dir.join(jobName))
	if err != nil {
		return err
	}
	defer own.close()
	if err := kept.create(f.envName(), content); err != nil {
		return err
	}
	err = own.errorf(f.envName(), unix.Linkat(kept.fd, f.envName(), own.fd, f.envName(), 0))
	if err == nil && f.record.User != nil {
		if err = f.handOver(kept, own); err != nil {
			err = errors.Join(err, own.unlink(f.envName()))
		}
	}
	if err != nil {
		return errors.Join(err, kept.shred(f.envName()))
	}
	return nil
}

// handOver makes the job's file and folder its user's, last of all, and opens the
// way to them.
func (f *Folder) handOver(kept, own dir) error {
	uid, gid := int(f.record.User.UID), int(f.record.User.GID)
	if err := unix.Fchownat(kept.fd, f.envName(), uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return kept.errorf(f.envName(), err)
	}
	for _, d := range []dir{f.root, f.dir} {
		if err := unix.Fchmod(d.fd, passable); err != nil {
			return d.errorf("", err)
		}
	}
	return own.errorf("", unix.Fchown(own.fd, uid, gid))
}
