// Package state keeps what outlives a stage: one folder a job, named by the
// job's id, with a record of the job and its credentials.
//
//	<root>/<job id>/job.json                  the record; no secret
//	<root>/<job id>/issued.json               the driver's own copy of all that was issued
//	<root>/<job id>/kept/.aws.<tenant>.env    a second name of the job's env file
//	<root>/<job id>/job/.aws.<tenant>.env     the job's env file
//	<root>/<job id>/job/.rolecall.<name>      a file of a credential; it has its second name too
//	<build directory>.tmp/rolecall-<job id>/.aws.<tenant>.env -> the job's env file
//
// The root is a folder of the user who runs the driver, on a tmpfs where the
// host has one. A job of another user owns the folder job and the files in it, and
// can reach no other: the folders above let it pass but not look. By the second
// name a file is found again wherever the job has moved it.
//
// The link in the build directory is for the job: it lies outside the work tree,
// where git, artifacts and caches do not reach. The driver itself never goes through
// it. A job of another user has none, since the driver, as root, has no business in
// a folder that such a user can change.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

const (
	issuedName  = "issued.json"
	issuedNew   = "issued.new" // what takes its place, or has lost it
	issuedEnv   = "issued.env" // the driver's own copy in folders of version 2 and before
	keptName    = "kept"
	jobName     = "job"
	envPattern  = ".aws.*.env"
	filePrefix  = ".rolecall."
	filePattern = filePrefix + "*"
)

// Folder is the folder of one job. One of Create or Open has its folders for itself
// and is locked until Close, shared among stages: nobody sweeps a job that a stage
// works for.
type Folder struct {
	id     job.ID
	root   dir
	dir    dir
	record Record
	phase  phase
}

// Create makes the folder of a job with its record. What an earlier attempt at the
// same job left is removed first; the folder of another job of that id is left
// alone. TempProjectDir is the folder beside the work tree that the link goes to;
// where it is empty, or the job another user's, there will be no link.
func Create(root string, key job.Key, record Record, tempProjectDir string) (*Folder, error) {
	top, err := makeRoot(root)
	if err != nil {
		return nil, err
	}
	f := &Folder{id: key.ID, root: top}
	if err := removeFrom(top, key, true); err != nil {
		top.close()
		return nil, err
	}
	if f.dir, err = top.mkdir(key.ID.String()); err != nil {
		top.close()
		return nil, err
	}
	record.Version, record.Proof, record.LinkDir = recordVersion, key.Proof, ""
	if record.Tenant != "" && record.Owner == nil && tempProjectDir != "" {
		record.LinkDir = filepath.Join(tempProjectDir, linkFolder(key.ID))
	}
	f.record = record
	err = f.dir.lock(unix.LOCK_SH)
	if err == nil {
		err = f.fill()
	}
	if err != nil {
		err = errors.Join(err, f.remove())
		f.Close()
		return nil, err
	}
	return f, nil
}

// fill writes the record and makes the folders. The record has its name only once
// all is there, and tells before that what may be: whenever a stage dies, the next
// one finds all that was made and nothing that was not.
func (f *Folder) fill() error {
	if f.record.LinkDir == "" {
		return f.finish(func() error { return nil })
	}
	parent, err := openLinkParent(f.record.LinkDir)
	if err != nil {
		return err
	}
	defer parent.close()
	return f.finish(func() error { return f.makeLink(parent) })
}

// finish writes the record, makes the folders, and gives the record its name.
func (f *Folder) finish(link func() error) error {
	content, err := json.Marshal(f.record)
	if err != nil {
		return err
	}
	f.phase = intended
	if err := f.dir.create(string(intended), content); err != nil {
		return err
	}
	if f.record.Tenant != "" {
		for _, name := range []string{keptName, jobName} {
			made, err := f.dir.mkdir(name)
			if err != nil {
				return err
			}
			made.close()
		}
	}
	if err := link(); err != nil {
		return err
	}
	if err := f.dir.move(string(intended), f.dir, string(made)); err != nil {
		return err
	}
	f.phase = made
	return nil
}

// Open opens the folder of a job that Create made. It makes nothing: where there is
// no such folder, or no root, the error is an fs.ErrNotExist. It is an error too when
// the job is over.
func Open(root string, key job.Key) (*Folder, error) {
	top, err := openRoot(root)
	if err != nil {
		return nil, err
	}
	d, err := find(top, key.ID)
	if err != nil {
		top.close()
		return nil, err
	}
	f := &Folder{id: key.ID, root: top, dir: d}
	if err = f.dir.lock(unix.LOCK_SH); err == nil {
		err = f.load()
	}
	if err == nil && f.phase != made {
		err = f.dir.errorf("", fmt.Errorf("has %s and no %s: a stage of the job died, or the job is over", f.phase, made))
	}
	if err == nil {
		err = f.checkProof(key)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Find opens the folder of a job in the root that the config stage has chosen. Where
// that has not said which, it is the first of Roots that has the job.
func Find(chosen string, key job.Key) (*Folder, error) {
	roots := []string{chosen}
	if chosen == "" {
		roots = Roots()
	}
	var problem error
	for _, root := range roots {
		f, err := Open(root, key)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.As(err, new(foreignError)) {
			return f, err
		}
		problem = err
	}
	return nil, problem
}

// find opens the folder of a job in the folder of all.
func find(top dir, id job.ID) (dir, error) {
	return openDir(top.fd, id.String(), top.join(id.String()))
}

// Close releases the folder and its lock; it stays where it is.
func (f *Folder) Close() {
	f.dir.close()
	f.root.close()
	f.dir.fd, f.root.fd = -1, -1 // a second Close must not take somebody else's descriptors
}

// Root returns the folder of all jobs that this one is in.
func (f *Folder) Root() string { return f.root.path }

// Tenant returns the tenant of the job, empty where it has no credentials.
func (f *Folder) Tenant() string { return f.record.Tenant }

// IDToken returns the variable of the job that holds its ID token.
func (f *Folder) IDToken() string { return f.record.IDToken }

// Record returns all that Create was told.
func (f *Folder) Record() Record { return f.record }

// Path returns where the job finds its env file.
func (f *Folder) Path() string {
	if f.record.LinkDir != "" {
		return filepath.Join(f.record.LinkDir, f.envName())
	}
	return f.jobPath()
}

// jobPath returns the path of the job's env file in its own folder.
func (f *Folder) jobPath() string { return filepath.Join(f.dir.path, jobName, f.envName()) }

// envName returns the name of the env file.
func (f *Folder) envName() string { return ".aws." + f.record.Tenant + ".env" }

// filePath returns where the job finds the file of a credential.
func (f *Folder) filePath(name string) string {
	return filepath.Join(f.dir.path, jobName, filePrefix+name)
}
