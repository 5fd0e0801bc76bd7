package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/job"
)

// recordVersion is the version of a job's folder. A stage works with folders of its own
// version and of the one before, but not of versions before oldestRead. Cleanup and
// sweep must remove folders of any version. So these never change: the names of the
// record's files, its fields proof, tenant, link_dir, own, owner, lease, audit, backend and data
// (cgroup up to version 2), and the names of files with secrets, which isSecret knows.
const (
	recordVersion = 3
	oldestRead    = 3
)

// maxRecord bounds the size of a record, in bytes.
const maxRecord = 64 << 10

// phase says how much of a job's folder exists. It is the name of the record's file,
// which is renamed from phase to phase.
type phase string

const (
	bare     phase = ""             // there is no record yet
	intended phase = "intent.json"  // the folder in the build directory may be missing or another process's
	made     phase = "job.json"     // the folder is complete
	leaving  phase = "removed.json" // the job has ended, whatever its lease says
)

// Record is what the later stages of a job need to know. Create fills in Version, Proof,
// LinkDir, and the job's id in Own.
type Record struct {
	Version int    `json:"version"`
	Proof   string `json:"proof"`              // the Proof of the job.Key
	Project int64  `json:"project,omitempty"`  // id of the project that runs the job
	Tenant  string `json:"tenant"`             // empty: the job has no credentials
	IDToken string `json:"id_token,omitempty"` // variable of the job that holds its ID token
	LinkDir string `json:"link_dir"`           // folder of the link in the build directory; empty: no link
	Lease   Lease  `json:"lease,omitzero"`
	Gate    Gate   `json:"gate,omitzero"`

	Audit audit.Trail `json:"audit,omitzero"` // to the audit log, for programs that read no policy file

	Requests uint64 `json:"requests,omitempty"` // Quota.PerMinute of the tenant and project
	Metadata bool   `json:"metadata,omitempty"` // scripts may use the metadata service of the host's cloud
	Notes    []Note `json:"notes,omitempty"`    // what the job's author must know

	Backend string          `json:"backend,omitempty"` // name of the backend that runs the scripts; empty: unknown
	Data    json.RawMessage `json:"data,omitempty"`    // what this backend needs to know; no secret
	Owner   *Owner          `json:"owner,omitempty"`   // the job's user; nil: the driver's user

	// Own is the job's own folder: its path, or OwnHere; empty: the job has none. For Create
	// it is the absolute path of the folder that has those of several jobs, or OwnHere.
	Own string `json:"own,omitempty"`

	Handover *Handover `json:"handover,omitempty"` // nil: the job hands over nothing

	Caches string `json:"caches,omitempty"` // folder of the local caches that scripts use; empty: unknown
}

// Owner is the unix user and group that the files of a job belong to.
type Owner struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// Gate bounds the search for secrets before an upload.
type Gate struct {
	Warn        bool          `json:"warn"`                   // upload what could not be searched, and say so
	ForeignKeys string        `json:"foreign_keys,omitempty"` // what happens to keys that rolecall has not issued; empty: the default
	MaxFiles    int64         `json:"max_files,omitempty"`    // 0: no bound
	MaxBytes    int64         `json:"max_bytes"`
	MaxDuration time.Duration `json:"max_duration"`
}

// Note is a line that the job log shows before the job's script. It holds no secret.
type Note struct {
	Text string `json:"text"`
	Warn bool   `json:"warn,omitempty"`
}

// Handover is how a job hands over values to later jobs.
type Handover struct {
	Scope    handover.Scope    `json:"scope"`
	Job      string            `json:"job"` // its name
	Settings handover.Settings `json:"settings"`
	Taken    []string          `json:"taken,omitempty"` // names that the credentials of the tenant have; A_* is all that begin with A_
}

// Bounds of the notes of a record, so that it stays well below maxRecord.
const (
	maxNotes = 10
	maxNote  = 1000 // bytes
)

// bounded returns notes as a record keeps them: the first ones, cut to their bounds.
func bounded(notes []Note) []Note {
	var kept []Note
	for _, n := range notes[:min(len(notes), maxNotes)] {
		if len(n.Text) > maxNote {
			n.Text = strings.ToValidUTF8(n.Text[:maxNote], "") + "…"
		}
		kept = append(kept, n)
	}
	return kept
}

// load reads the record and the phase. An error means that this driver cannot work with
// the record; f.record then has the fields that could be read.
func (f *Folder) load() error {
	f.record, f.phase = Record{}, bare
	for _, s := range []phase{made, intended, leaving} { // in this order a rename cannot hide the record
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
	case r.Version > recordVersion: // a system failure: it is nobody's mistake in the job
		return r, fmt.Errorf("has version %d, this driver knows %d: a later version of rolecall has prepared the job", r.Version, recordVersion)
	}
	return r, fmt.Errorf("has version %d, this driver knows %d", r.Version, recordVersion)
}

// readable reports whether a driver with the record version own works with a record of
// the given version. It also works with the version before its own, so that jobs may run
// while the driver is upgraded.
func readable(version, own int) bool { return version <= own && version >= max(own-1, oldestRead) }

// older reports whether a driver made the record that is too old for this one to work
// with it.
func (r Record) older() bool { return 0 < r.Version && r.Version < max(recordVersion-1, oldestRead) }

// errOlder returns the error about a record that is too old.
func errOlder() error {
	return fault.New(fault.Programs, errors.New("the job was prepared by an older version of rolecall"),
		"let the runners finish their jobs before you upgrade (see CHANGELOG)")
}

// addCgroup fills in Backend and Data of a record of version 2 or before, so that its
// job can be reaped. Such a record names the parent of the job's cgroup, if there is one.
func (r *Record) addCgroup(content []byte) {
	if r.Version >= oldestRead || r.Backend != "" {
		return
	}
	var old struct {
		Cgroup string `json:"cgroup"`
	}
	_ = json.Unmarshal(content, &old) // parseRecord reports the error
	if old.Cgroup != "" {
		r.Backend = "host"
		r.Data, _ = json.Marshal(old)
	}
}

// checkProof returns an error if the folder belongs to another job with the same id.
func (f *Folder) checkProof(key job.Key) error {
	if f.record.Proof == "" || key.Proof == "" || f.record.Proof == key.Proof {
		return nil
	}
	return fmt.Errorf("%s belongs to a job of another GitLab server, and is left unchanged; run the runners of each GitLab server as a separate service and user", f.dir.path)
}
