// Package store keeps what outlives a stage: one folder a job, named by the
// job's id, with a record of the job and its env file.
//
//	<root>/<job id>/job.json            the record; no secret
//	<root>/<job id>/.aws.<tenant>.env   the env file
//	<build directory>.tmp/rolecall-<job id>/.aws.<tenant>.env -> the env file
//
// The root is a folder of the user who runs the driver, on a tmpfs where the
// host has one. The link in the build directory is for the job: it lies outside
// the work tree, where git, artifacts and caches do not reach. The driver itself
// never goes through it.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/job"
)

const (
	recordName    = "job.json"
	recordVersion = 1
	maxRecord     = 64 << 10 // bytes
	maxEnvFile    = 64 << 10 // bytes
)

// Record says what the later stages of a job need to know. Create fills in the
// version, the proof and the link.
type Record struct {
	Version int    `json:"version"`
	Proof   string `json:"proof"`              // job.Key's
	Tenant  string `json:"tenant"`             // empty: the job has no credentials
	IDToken string `json:"id_token,omitempty"` // variable of the job that holds its ID token
	LinkDir string `json:"link_dir"`           // folder of the link in the build directory; empty: none
}

// Folder is the folder of one job.
type Folder struct {
	root   dir
	dir    dir
	record Record
}

// Create makes the folder of a job with its record. What an earlier attempt at the
// same job left is removed first; the folder of another job of that id is left
// alone. TempProjectDir is the folder beside the work tree that the link goes to;
// where it is empty there will be no link.
func Create(root string, key job.Key, record Record, tempProjectDir string) (*Folder, error) {
	if err := Remove(root, key); err != nil {
		return nil, err
	}
	top, err := openRoot(root)
	if err != nil {
		return nil, err
	}
	d, err := top.mkdir(key.ID.String())
	if err != nil {
		top.close()
		return nil, err
	}
	record.Version, record.Proof = recordVersion, key.Proof
	f := &Folder{root: top, dir: d, record: record}
	if record.Tenant != "" && tempProjectDir != "" {
		f.record.LinkDir = filepath.Join(tempProjectDir, linkFolder(key.ID))
	}
	if err := f.fill(); err != nil {
		f.Close()
		return nil, errors.Join(err, Remove(root, key))
	}
	return f, nil
}

// fill writes the record and makes the link in the build directory. The record
// names the folder of the link only once that is ours, so that Remove never
// takes what somebody else put in its place.
func (f *Folder) fill() error {
	if f.record.LinkDir == "" {
		return f.writeRecord()
	}
	links, err := makeLinkDir(f.record.LinkDir)
	if err != nil {
		return err
	}
	defer links.close()
	if err = f.writeRecord(); err == nil {
		err = links.errorf(f.envName(), unix.Symlinkat(f.dir.join(f.envName()), links.fd, f.envName()))
	}
	if err != nil {
		return errors.Join(err, removeLinkDir(f.record.LinkDir))
	}
	return nil
}

// writeRecord writes the record.
func (f *Folder) writeRecord() error {
	content, err := json.Marshal(f.record)
	if err != nil {
		return err
	}
	return f.dir.create(recordName, content)
}

// Open opens the folder of a job that Create made.
func Open(root string, key job.Key) (*Folder, error) {
	top, err := openRoot(root)
	if err != nil {
		return nil, err
	}
	d, err := openDir(top.fd, key.ID.String(), top.join(key.ID.String()))
	if err != nil {
		top.close()
		return nil, err
	}
	f := &Folder{root: top, dir: d}
	if f.record, err = d.readRecord(); err == nil {
		err = d.checkProof(f.record, key)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close releases the folder; it stays where it is.
func (f *Folder) Close() {
	f.dir.close()
	f.root.close()
}

// Tenant returns the tenant of the job, empty where it has no credentials.
func (f *Folder) Tenant() string { return f.record.Tenant }

// IDToken returns the variable of the job that holds its ID token.
func (f *Folder) IDToken() string { return f.record.IDToken }

// Path returns where the job finds its env file.
func (f *Folder) Path() string {
	if f.record.LinkDir != "" {
		return filepath.Join(f.record.LinkDir, f.envName())
	}
	return f.dir.join(f.envName())
}

// envName returns the name of the env file.
func (f *Folder) envName() string { return ".aws." + f.record.Tenant + ".env" }

// Write writes the env file.
func (f *Folder) Write(c creds.Credentials) error { return f.dir.create(f.envName(), c.EnvFile()) }

// Read reads the credentials back from the env file. The error holds nothing of
// the file.
func (f *Folder) Read() (creds.Credentials, error) {
	content, err := f.dir.read(f.envName(), maxEnvFile)
	if err != nil {
		return creds.Credentials{}, err
	}
	c, err := creds.ParseEnvFile(content)
	return c, f.dir.errorf(f.envName(), err)
}

// readRecord reads the record of the job folder d.
func (d dir) readRecord() (Record, error) {
	var r Record
	content, err := d.read(recordName, maxRecord)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil || strings.Contains(r.Tenant, "/") {
		return Record{}, d.errorf(recordName, errors.New("broken"))
	}
	if r.Version != recordVersion {
		return r, d.errorf(recordName, fmt.Errorf("has version %d, this driver knows %d", r.Version, recordVersion))
	}
	return r, nil
}

// checkProof reports an error where a record is of another job of the same id.
func (d dir) checkProof(record Record, key job.Key) error {
	if record.Proof == "" || key.Proof == "" || record.Proof == key.Proof {
		return nil
	}
	return fmt.Errorf("%s is of a job of another GitLab server and is left alone; let the runners of each server run as a service and user of their own", d.path)
}

// Remove shreds the env file of a job and removes its folder and link. What is
// not there, or a root of another user, is nothing to remove. The error names the
// path that is left behind.
func Remove(root string, key job.Key) error {
	top, err := openDir(unix.AT_FDCWD, root, root)
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(foreignError)) {
		return nil
	}
	if err != nil {
		return err
	}
	defer top.close()
	d, err := openDir(top.fd, key.ID.String(), top.join(key.ID.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.close()
	record, _ := d.readRecord() // one that is broken or missing says nothing against removing
	if err := d.checkProof(record, key); err != nil {
		return err
	}
	return errors.Join(d.shredEnvFiles(), removeLink(record, key.ID), top.removeAll(key.ID.String()))
}
