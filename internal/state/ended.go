package state

import (
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
