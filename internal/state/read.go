package state

import (
	"errors"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// Read returns what was issued, from the driver's own copy, including the variables that
// name files. The error quotes nothing of the content.
func (f *Folder) Read() (creds.Set, error) {
	all, err := f.ReadAll()
	return all.Set, err
}

// Secrets returns all secrets that were ever issued to the job, each with its kind. This
// includes the secrets that Replace has replaced: they may still be valid, and the job's
// files may contain them. The error quotes none of them.
func (f *Folder) Secrets() ([]mask.Named, error) {
	all, err := f.ReadAll()
	return all.Secrets, err
}

// Issued is all that was issued to a job.
type Issued struct {
	Set     creds.Set     // including the variables that name files
	Secrets []mask.Named  // as Folder.Secrets returns them
	Orders  []creds.Order // of the credentials that an endpoint renews, and of the way to the store of handed-over values
}

// Placed returns a credential with the variables that name its files.
func (f *Folder) Placed(c creds.Credential) creds.Credential { return creds.Set{c}.In(f.filePath)[0] }

// ReadAll is Read and Secrets, but reads the file only once.
func (f *Folder) ReadAll() (Issued, error) {
	i, err := f.readIssued()
	return Issued{i.set.In(f.filePath), append(i.set.Secrets(), i.old...), i.orders}, err
}

// readIssued reads the driver's own copy. A Replace may overwrite the file after it was
// opened here; the next try then opens the new file.
func (f *Folder) readIssued() (issued, error) {
	i, err := f.readIssuedOnce()
	for try := 1; try < 3 && errors.Is(err, errChanged); try++ {
		i, err = f.readIssuedOnce()
	}
	return i, err
}

// readIssuedOnce reads the driver's own copy as it is now.
func (f *Folder) readIssuedOnce() (issued, error) {
	content, err := f.dir.read(issuedName, maxIssued)
	if err != nil {
		return issued{}, err
	}
	i, err := parseIssued(content)
	return i, f.dir.errorf(issuedName, err)
}
