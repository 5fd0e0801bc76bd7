package state

import (
	"encoding/json"
	"path/filepath"

	"rolecall/internal/job"
)

// complete fills in the fields of a record that Create knows itself.
func (r Record) complete(key job.Key, tempProjectDir string) Record {
	r.Version, r.Proof, r.LinkDir, r.Notes = recordVersion, key.Proof, "", bounded(r.Notes)
	if filepath.IsAbs(r.Own) {
		r.Own = filepath.Join(r.Own, key.ID.String())
	}
	if r.Tenant != "" && r.Owner == nil && tempProjectDir != "" {
		r.LinkDir = filepath.Join(tempProjectDir, linkFolder(key.ID))
	}
	return r
}

// fill writes the record and makes the folders. The record gets its final name once all
// is there; its first name says that parts may be missing. Whenever a stage dies, the
// next one therefore finds all that was made, and does not touch what was not.
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

// finish writes the record, makes the folders, and gives the record its final name.
func (f *Folder) finish(link func() error) error {
	content, err := json.Marshal(f.record)
	if err != nil {
		return err
	}
	f.phase = intended
	if err := f.dir.create(string(intended), content); err != nil {
		return err
	}
	if err := f.makeFolders(); err != nil {
		return err
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

// makeFolders makes the folders for the credentials of a job with a tenant, and the job's
// own folder.
func (f *Folder) makeFolders() error {
	if err := f.makeOwn(); err != nil || f.record.Tenant == "" {
		return err
	}
	for _, name := range []string{keptName, secretName} {
		made, err := f.dir.mkdir(name)
		if err != nil {
			return err
		}
		made.close()
	}
	return nil
}
