package state

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
)

// Write writes what was issued: the driver's copy, then the files of the job, each
// of which comes to be whole and in a folder that is not the job's yet. Where it
// fails, nothing of the credentials is left; the error holds nothing of them. Where
// the runner has died by the end nobody would take them away: all of the job is then
// removed, and that is an error.
func (f *Folder) Write(set creds.Set) error {
	if err := f.checkRunner(); err != nil {
		return errors.Join(err, f.remove())
	}
	placed, content, err := f.encode(issued{set: set})
	if err != nil {
		return err
	}
	if err := f.dir.create(issuedName, content); err != nil {
		return err
	}
	if err := f.give(f.jobFiles(placed)); err != nil {
		return errors.Join(err, f.dir.shred(issuedName))
	}
	if err := f.checkRunner(); err != nil {
		return errors.Join(err, f.remove())
	}
	return nil
}

// encode checks what was issued, and returns its set as the job gets it and the
// content of the driver's copy.
func (f *Folder) encode(i issued) (creds.Set, []byte, error) {
	placed := i.set.In(f.filePath)
	if err := placed.Check(); err != nil {
		return nil, nil, err
	}
	content, err := i.encode()
	return placed, content, err
}

// checkRunner reports an error where the runner that the job's lease is on has died.
func (f *Folder) checkRunner() error {
	if f.record.Lease == (Lease{}) || f.record.Lease.Alive() {
		return nil
	}
	return fmt.Errorf("the runner of this job, process %d, has died or the job's time is over: it gets no credentials", f.record.Lease.RunnerPID)
}

// jobFile is a file that a job gets.
type jobFile struct {
	name    string
	content []byte
}

// jobFiles returns all files that a job gets, for a set as the job gets it.
func (f *Folder) jobFiles(placed creds.Set) []jobFile {
	files := []jobFile{{f.envName(), placed.EnvFile()}}
	for _, c := range placed {
		for _, file := range c.Files {
			files = append(files, jobFile{filePrefix + file.Name, []byte(file.Content.Reveal())})
		}
	}
	return files
}

// give writes the files of the job, all or none.
func (f *Folder) give(files []jobFile) error {
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
	for i, file := range files {
		if err := put(kept, own, file); err != nil {
			return errors.Join(err, withdraw(kept, own, files[:i]))
		}
	}
	if f.record.Owner == nil {
		return nil
	}
	if err := f.handOver(kept, own, files); err != nil {
		return errors.Join(err, withdraw(kept, own, files))
	}
	return nil
}

// put writes a file in kept, and gives it a second name in own.
func put(kept, own dir, file jobFile) error {
	if err := kept.create(file.name, file.content); err != nil {
		return err
	}
	if err := unix.Linkat(kept.fd, file.name, own.fd, file.name, 0); err != nil {
		return errors.Join(own.errorf(file.name, err), kept.shred(file.name))
	}
	return nil
}

// withdraw takes back what put did.
func withdraw(kept, own dir, files []jobFile) error {
	var problems error
	for _, file := range files {
		problems = errors.Join(problems, own.unlink(file.name), kept.shred(file.name))
	}
	return problems
}

// handOver makes the job's files and folder its user's, last of all, and opens the
// way to them.
func (f *Folder) handOver(kept, own dir, files []jobFile) error {
	uid, gid := int(f.record.Owner.UID), int(f.record.Owner.GID)
	for _, file := range files {
		if err := unix.Fchownat(kept.fd, file.name, uid, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return kept.errorf(file.name, err)
		}
	}
	for _, d := range []dir{f.root, f.dir} {
		if err := unix.Fchmod(d.fd, passable); err != nil {
			return d.errorf("", err)
		}
	}
	return own.errorf("", unix.Fchown(own.fd, uid, gid))
}
