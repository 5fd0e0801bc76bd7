package state

import (
	"encoding/json"

	"rolecall/internal/audit"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// Ended is a job that this process has ended, as its record had it. The zero Ended is no
// job.
type Ended struct {
	ID     job.ID
	Tenant string      // empty: the job had no credentials
	Trail  audit.Trail // to the audit log
}

// ended returns the job of a folder, as ended.
func (f *Folder) ended() Ended { return Ended{f.id, f.record.Tenant, f.record.Audit} }

// Tell is told of the end of a job that had credentials, before its record goes. Err is what is left of
// the job. Nil is told nothing.
type Tell func(e Ended, err error)

// of tells of a job, if it had credentials.
func (t Tell) of(e Ended, err error) {
	if t != nil && e.Tenant != "" {
		t(e, err)
	}
}

// toldName is a file in a job's folder, made before the end of the job is told of: what the
// audit log has behind it. If the process is then killed, the next one that ends the job
// looks there whether the line was written, and writes no second one.
const toldName = "told.json"

// tellOnce tells of the end of the job, unless a process that was killed has done so. If the
// file toldName cannot be written, only such a kill matters.
func (f *Folder) tellOnce(tell Tell, err error) {
	var mark audit.Mark
	content, readErr := f.dir.read(toldName, maxRecord)
	if readErr == nil && json.Unmarshal(content, &mark) == nil {
		if f.record.Audit.Has(mark, audit.Ended, audit.Removed) {
			return
		}
	} else if content, markErr := json.Marshal(f.record.Audit.Mark()); markErr == nil && tell != nil {
		_ = f.dir.unlink(toldName)
		_ = f.dir.create(toldName, content)
	}
	tell.of(f.ended(), err)
}

// Tell writes to the audit log that a job which had credentials was ended by a program. Err
// is what went wrong then; its text is not written, since it may name files of the job.
func (e Ended) Tell(kind audit.Kind, program string, err error) error {
	if e.Tenant == "" {
		return nil
	}
	return e.Trail.Tell(kind, program, func(to *audit.Event) {
		to.Began = e.Trail.Began
		if err != nil {
			to.Code, to.Side = fault.CodeOf(err), fault.SideOf(err)
		}
	})
}
