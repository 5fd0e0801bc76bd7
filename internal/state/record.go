package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"rolecall/internal/job"
)

// recordVersion is the version of what lies in a job's folder. A stage works with
// its own version only, but removes those of all. So what it needs to remove them
// is the same in all versions: the names of the record, and of its content proof,
// tenant, link_dir, user, cgroup and lease, where there are such; files with secrets
// have names that isSecret knows.
const recordVersion = 3

// maxRecord bounds the size of a record, in bytes.
const maxRecord = 64 << 10

// phase is how far the folder of a job is. It shows in the name of its record,
// which is renamed from one to the next.
type phase string

const (
	bare     phase = ""             // there is no record yet
	intended phase = "intent.json"  // the folder in the build directory may not be there, or not be ours
	made     phase = "job.json"     // all is there
	leaving  phase = "removed.json" // the job is over, whatever its lease says
)

// Record says what the later stages of a job need to know. Create fills in the
// version, the proof and the link.
type Record struct {
	Version int    `json:"version"`
	Proof   string `json:"proof"`              // job.Key's
	Tenant  string `json:"tenant"`             // empty: the job has no credentials
	IDToken string `json:"id_token,omitempty"` // variable of the job that holds its ID token
	LinkDir string `json:"link_dir"`           // folder of the link in the build directory; empty: none
	User    *User  `json:"user,omitempty"`     // nil: the driver's own user
	AsRoot  bool   `json:"as_root,omitempty"`  // the admin lets the job run as root where the driver is root
	Cgroup  string `json:"cgroup,omitempty"`   // path of the cgroup that the job's own is in; empty: none
	Lease   Lease  `json:"lease,omitzero"`
	Temp    string `json:"temp,omitempty"` // folder for temporary files of another user's job
	Gate    Gate   `json:"gate,omitzero"`
	Limits  Limits `json:"limits,omitzero"`
}

// Limits bound the processes of a job's scripts. 0 is none.
type Limits struct {
	OpenFiles uint64 `json:"open_files"`
	Processes uint64 `json:"processes"`
	Memory    uint64 `json:"memory"` // bytes
}

// Gate bounds the search for secrets before an upload.
type Gate struct {
	Warn        bool          `json:"warn"` // upload what could not be searched, and say so
	MaxBytes    int64         `json:"max_bytes"`
	MaxDuration time.Duration `json:"max_duration"`
}

// User is as whom the scripts of a job run.
type User struct {
	Name   string   `json:"name"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
	Home   string   `json:"home"`
	Shell  string   `json:"shell"`
}

// load reads the record, and finds out how far the folder is. An error is about a
// record that this driver cannot work with; what can be read of it is there.
func (f *Folder) load() error {
	f.record, f.phase = Record{}, bare
	for _, s := range []phase{made, intended, leaving} { // a rename cannot hide it from that order
		content, err := f.dir.read(string(s), maxRecord)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		f.phase = s
		if err == nil {
			f.record, err = parseRecord(content)
			err = f.dir.errorf(string(s), err)
		}
		return err
	}
	return f.dir.errorf(string(made), fs.ErrNotExist)
}

// parseRecord reads a record.
func parseRecord(content []byte) (Record, error) {
	var r Record
	if err := json.Unmarshal(content, &r); err != nil || strings.Contains(r.Tenant, "/") {
		return r, errors.New("broken")
	}
	if r.Version != recordVersion {
		return r, fmt.Errorf("has version %d, this driver knows %d", r.Version, recordVersion)
	}
	return r, nil
}

// checkProof reports an error where the folder is of another job of the same id.
func (f *Folder) checkProof(key job.Key) error {
	if f.record.Proof == "" || key.Proof == "" || f.record.Proof == key.Proof {
		return nil
	}
	return fmt.Errorf("%s is of a job of another GitLab server and is left alone; let the runners of each server run as a service and user of their own", f.dir.path)
}
