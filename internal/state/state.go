// Package state keeps what outlives a stage: one folder a job, named by the
// job's id, with a record of the job and its credentials.
//
//	<root>/ledger                             what was issued to all jobs and has not expired; no secret
//	<root>/revocations/<job id>.<random>      how a credential of a job is revoked
//	<root>/handover/<tenant>/<scope>/<job>    what a job has handed over on this host
//	<root>/<job id>/job.json                  the record; no secret
//	<root>/<job id>/issued.json               the driver's own copy of all that was issued
//	<root>/<job id>/kept/.aws.<tenant>.env    a second name of the job's env file
//	<root>/<job id>/secret/.aws.<tenant>.env  the job's env file
//	<root>/<job id>/secret/.rolecall.<name>   a file of a credential; it has its second name too
//	<root>/<job id>/secret/.rolecall.<name>/  the folder of such a file that has one of its own
//	<root>/<job id>/orphan                    since when a stage outlives its runner
//	<root>/<job id>/told.json                 where the audit log may tell of the end of the job
//	<root>/<job id>/own/                      the job's own folder, if it is in no other place
//	<build directory>.tmp/rolecall-<job id>/.aws.<tenant>.env -> the job's env file
//
// The root is a folder of the user who runs the driver, on a tmpfs if the host has one.
// A job of another user can read the files in the folder secret and can change nothing
// there: neither can it fill the tmpfs, nor move a file away. The folders above let the
// user pass but not list them. A job of the driver's user can do both; through its second
// name the driver finds a file again wherever the job has moved it.
//
// The job's own folder belongs to the job's user. What its tools keep is there, and goes
// with the job. A job of another user has it below builds_dir if there is one, so that it
// shares no tmpfs with the credentials of other jobs.
//
// The link in the build directory is for the job. It lies outside of the work tree, so
// git, artifacts and caches do not reach it. The driver itself never follows it. A job
// of another user has no link: the driver, as root, must not write into a folder that
// this user can change.
package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/job"
)

const (
	issuedName  = "issued.json"
	issuedNew   = "issued.new" // the next content of issued.json, or the one before
	issuedEnv   = "issued.env" // the driver's own copy in folders of version 2 and before
	keptName    = "kept"
	secretName  = "secret"
	ownName     = "own"
	envPattern  = ".aws.*.env"
	filePrefix  = ".rolecall."
	filePattern = filePrefix + "*"
)

// Folder is the folder of one job. A Folder of Create or Open holds a lock until Close.
// Stages share the lock; Sweep skips a job whose folder is locked.
type Folder struct {
	id     job.ID
	root   dir
	dir    dir
	record Record
	phase  phase
}

// Create makes the folder of a job with its record. It first removes what an earlier
// attempt at the same job left; the folder of another job with the same id is an error
// and is left unchanged. TempProjectDir is the folder beside the work tree that gets the
// link. Without it, and for a job of another user, Create makes no link.
func Create(root string, key job.Key, record Record, tempProjectDir string) (*Folder, error) {
	top, err := makeRoot(root)
	if err != nil {
		return nil, err
	}
	f := &Folder{id: key.ID, root: top}
	if err = removeFrom(top, key, true, nil); err != nil {
		top.close()
		return nil, err
	}
	if f.dir, err = top.mkdir(key.ID.String()); err != nil {
		top.close()
		return nil, err
	}
	f.record = record.complete(key, tempProjectDir)
	err = f.dir.lock(unix.LOCK_SH)
	if err == nil {
		err = f.fill()
	}
	if err != nil {
		_, left := f.remove(time.Now().Add(removeTime), nil)
		f.Close()
		return nil, errors.Join(err, left)
	}
	return f, nil
}

// Open opens the folder of a job that Create made. It makes nothing: if the folder or
// the root does not exist, the error is an fs.ErrNotExist. A job that has ended is an
// error too.
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
	if err := f.use(key); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// use locks the folder for a stage of the job, and reads its record.
func (f *Folder) use(key job.Key) error {
	if err := f.dir.lock(unix.LOCK_SH); err != nil {
		return err
	}
	if err := f.load(); err != nil {
		return err
	}
	if f.phase != made {
		return f.dir.errorf("", fmt.Errorf("has %s and no %s: a stage of the job died, or the job has ended", f.phase, made))
	}
	return f.checkProof(key)
}

// Find opens the folder of a job in the root that the config stage has chosen. If chosen
// is empty, Find looks in all Roots, and returns the first folder.
func Find(chosen string, key job.Key) (*Folder, error) {
	roots := []string{chosen}
	if chosen == "" {
		roots = Roots()
	}
	var problem error
	for _, root := range roots {
		f, err := Open(root, key)
		if err == nil || !errors.Is(err, fs.ErrNotExist) && !isPlanted(err) {
			return f, err
		}
		problem = err
	}
	return nil, problem
}

// find opens the folder of a job below top, without a lock. The caller still owns top.
func find(top dir, id job.ID) (dir, error) {
	return openDir(top.fd, id.String(), top.join(id.String()))
}

// Close releases the descriptors and the lock. It does not remove the folder.
func (f *Folder) Close() {
	f.dir.close()
	f.root.close()
	f.dir.fd, f.root.fd = -1, -1 // a second Close must not close descriptors that were opened since
}

// Root returns the folder of all jobs, which contains this one.
func (f *Folder) Root() string { return f.root.path }

// Tenant returns the tenant of the job, empty if the job has no credentials.
func (f *Folder) Tenant() string { return f.record.Tenant }

// IDToken returns the variable of the job that holds its ID token.
func (f *Folder) IDToken() string { return f.record.IDToken }

// Record returns the job's record.
func (f *Folder) Record() Record { return f.record }

// Path returns the path at which the job finds its env file.
func (f *Folder) Path() string {
	if f.record.LinkDir != "" {
		return filepath.Join(f.record.LinkDir, f.envName())
	}
	return f.jobPath()
}

// jobPath returns the path of the job's env file itself.
func (f *Folder) jobPath() string { return filepath.Join(f.dir.path, secretName, f.envName()) }

// envName returns the name of the env file.
func (f *Folder) envName() string { return ".aws." + f.record.Tenant + ".env" }

// filePath returns the path at which the job finds the file of a credential, or its folder.
func (f *Folder) filePath(name string) string {
	return filepath.Join(f.dir.path, secretName, filePrefix+name)
}

// Files returns the paths at which the job finds the files of the set, the env file first.
func (f *Folder) Files(set creds.Set) []string {
	paths := []string{f.jobPath()}
	for _, c := range set {
		for _, file := range c.Files {
			paths = append(paths, filepath.Join(f.filePath(file.Name), file.As))
		}
	}
	return paths
}
