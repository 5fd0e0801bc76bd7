package state

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
)

// Write writes what was issued: the driver's own copy, with the orders of what later stages
// need anew, then the files of the job. Each
// file is written whole, in a folder that the job's user cannot enter yet. If
// Write fails, no credential is left, and the error quotes none. If the runner has died,
// no stage would remove the credentials: Write then shreds them, and returns an error. The
// record stays, so that the caller, or the next Sweep, can end the job with all that it has
// elsewhere.
func (f *Folder) Write(set creds.Set, orders ...creds.Order) error {
	if err := f.checkRunner(); err != nil {
		return errors.Join(err, f.shred(time.Now().Add(removeTime)))
	}
	placed, content, err := f.encode(issued{set: set, orders: orders})
	if err != nil {
		return err
	}
	if err := f.dir.create(issuedName, content); err != nil {
		return err
	}
	if err := f.writeJobCopy(f.jobFiles(placed)); err != nil {
		return errors.Join(err, f.dir.shred(issuedName))
	}
	if err := f.checkRunner(); err != nil {
		return errors.Join(err, f.shred(time.Now().Add(removeTime)))
	}
	return nil
}

// encode checks what was issued. It returns the set with the paths at which the job
// finds its files, and the content of the driver's own copy.
func (f *Folder) encode(i issued) (creds.Set, []byte, error) {
	placed := i.set.In(f.filePath)
	if err := placed.Check(); err != nil {
		return nil, nil, err
	}
	content, err := i.encode()
	return placed, content, err
}

// checkRunner returns an error if the lease of the job does not hold any more.
func (f *Folder) checkRunner() error {
	if f.record.Lease == (Lease{}) || f.record.Lease.Alive() {
		return nil
	}
	return fmt.Errorf("the job gets no credentials: its runner, process %d, has died, or its lease has expired", f.record.Lease.RunnerPID)
}

// jobFile is a file that a job gets.
type jobFile struct {
	name    string
	as      string // its name in a folder of its own, which has the name; empty: it has no such folder
	content []byte
}

// open opens the folder that the file lies in, in the folder secret, and returns the file's name
// there. It makes a folder of the file's own if there is none.
func (j jobFile) open(secret dir) (dir, string, error) {
	if j.as == "" {
		d, err := openAnyDir(secret.fd, ".", secret.path)
		return d, j.name, err
	}
	if err := unix.Mkdirat(secret.fd, j.name, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return dir{}, "", secret.errorf(j.name, err)
	}
	d, err := openDir(secret.fd, j.name, secret.join(j.name))
	return d, j.as, err
}

// unlink removes the file from the folder secret, with the folder of its own.
func (j jobFile) unlink(secret dir) error {
	d, name, err := j.open(secret)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.unlink(name); err != nil || j.as == "" {
		return err
	}
	return secret.rmdir(j.name)
}

// jobFiles returns all files that a job gets. Placed is the set that encode returns.
func (f *Folder) jobFiles(placed creds.Set) []jobFile {
	files := []jobFile{{name: f.envName(), content: placed.EnvFile()}}
	for _, c := range placed {
		for _, file := range c.Files {
			files = append(files, jobFile{filePrefix + file.Name, file.As, []byte(file.Content.Reveal())})
		}
	}
	return files
}

// writeJobCopy writes the files of the job, all or none.
func (f *Folder) writeJobCopy(files []jobFile) error {
	kept, err := openDir(f.dir.fd, keptName, f.dir.join(keptName))
	if err != nil {
		return err
	}
	defer kept.close()
	secret, err := openDir(f.dir.fd, secretName, f.dir.join(secretName))
	if err != nil {
		return err
	}
	defer secret.close()
	return f.writeFiles(kept, secret, files)
}

// writeFiles writes files into the folders kept and secret, and shows them to the job's
// user.
func (f *Folder) writeFiles(kept, secret dir, files []jobFile) error {
	for i, file := range files {
		if err := put(kept, secret, file); err != nil {
			return errors.Join(err, withdraw(kept, secret, files[:i]))
		}
	}
	if err := f.handOver(kept, secret, files); err != nil {
		return errors.Join(err, withdraw(kept, secret, files))
	}
	return nil
}

// put writes a file in the folder kept, and gives it a second name in the folder secret.
func put(kept, secret dir, file jobFile) error {
	if err := kept.create(file.name, file.content); err != nil {
		return err
	}
	if err := file.link(kept, secret); err != nil {
		return errors.Join(err, kept.shred(file.name))
	}
	return nil
}

// link gives a file of the folder kept its second name.
func (j jobFile) link(kept, secret dir) error {
	d, name, err := j.open(secret)
	if err != nil {
		return err
	}
	defer d.close()
	return d.errorf(name, unix.Linkat(kept.fd, j.name, d.fd, name, 0))
}

// withdraw removes files that put has written.
func withdraw(kept, secret dir, files []jobFile) error {
	var problems error
	for _, file := range files {
		problems = errors.Join(problems, file.unlink(secret), kept.shred(file.name))
	}
	return problems
}

// handOver lets the job's user read the job's files, and pass through the folders above.
// For the driver's user there is nothing to do.
func (f *Folder) handOver(kept, secret dir, files []jobFile) error {
	if f.record.Owner == nil {
		return nil
	}
	for _, file := range files {
		if err := kept.show(file.name, *f.record.Owner); err != nil {
			return err
		}
		if err := file.pass(secret); err != nil {
			return err
		}
	}
	for _, d := range []dir{f.root, f.dir, secret} {
		if err := unix.Fchmod(d.fd, passable); err != nil {
			return d.errorf("", err)
		}
	}
	return nil
}

// pass lets the job's user pass through a folder of the file's own.
func (j jobFile) pass(secret dir) error {
	if j.as == "" {
		return nil
	}
	d, _, err := j.open(secret)
	if err != nil {
		return err
	}
	defer d.close()
	return d.errorf("", unix.Fchmod(d.fd, passable))
}
