package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// recordVersion is the version of what lies in a job's folder, and oldestRead the
// first that a later one may work with. A stage works with its own version and the
// one before, and removes those of all. So what it needs to remove them is the same in
// all versions: the names of the record, and of its content proof, tenant, link_dir
// and lease, and backend and data, or up to version 2 cgroup; files with secrets have
// names that isSecret knows.
const (
	recordVersion = 3
	oldestRead    = 3
)

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
	Lease   Lease  `json:"lease,omitzero"`
	Gate    Gate   `json:"gate,omitzero"`

	Backend string          `json:"backend,omitempty"` // name of the backend that runs the scripts; empty: none does
	Data    json.RawMessage `json:"data,omitempty"`    // what that backend needs to know; no secret
	Owner   *Owner          `json:"owner,omitempty"`   // of the job's own folder; nil: the driver's user
}

// Owner is whom the files of a job belong to.
type Owner struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// Gate bounds the search for secrets before an upload.
type Gate struct {
	Warn        bool          `json:"warn"` // upload what could not be searched, and say so
	MaxBytes    int64         `json:"max_bytes"`
	MaxDuration time.Duration `json:"max_duration"`
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
	err := json.Unmarshal(content, &r)
	r.addCgroup(content)
	if err != nil || strings.Contains(r.Tenant, "/") {
		return r, errors.New("broken")
	}
	switch {
	case readable(r.Version, recordVersion):
		return r, nil
	case r.older():
		return r, errOlder()
	}
	return r, fmt.Errorf("has version %d, this driver knows %d", r.Version, recordVersion)
}

// readable reports whether a driver whose records have the version own works with one
// of that version: with the one before too, so that jobs may run while the driver is
// upgraded.
func readable(version, own int) bool { return version <= own && version >= max(own-1, oldestRead) }

// older reports whether a version that this one does not work with any more has made
// the record.
func (r Record) older() bool { return 0 < r.Version && r.Version < max(recordVersion-1, oldestRead) }

// errOlder returns the error about such a record.
func errOlder() error {
	return fault.New(fault.Admin, errors.New("the job was prepared by an older version of rolecall"),
		"let the runners finish their jobs before you upgrade (see CHANGELOG)")
}

// addCgroup makes a record of version 2 or before one that can be reaped: it names the
// cgroup that the job's own is in, where there is one.
func (r *Record) addCgroup(content []byte) {
	if r.Version >= oldestRead || r.Backend != "" {
		return
	}
	var old struct {
		Cgroup string `json:"cgroup"`
	}
	_ = json.Unmarshal(content, &old) // parseRecord tells
	if old.Cgroup != "" {
		r.Backend = "host"
		r.Data, _ = json.Marshal(old)
	}
}

// checkProof reports an error where the folder is of another job of the same id.
func (f *Folder) checkProof(key job.Key) error {
	if f.record.Proof == "" || key.Proof == "" || f.record.Proof == key.Proof {
		return nil
	}
	return fmt.Errorf("%s is of a job of another GitLab server and is left alone; let the runners of each server run as a service and user of their own", f.dir.path)
}
