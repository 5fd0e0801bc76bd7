package audit

import "slices"

// Kind says what an Event is about.
type Kind string

// The kinds of events. All but the last two describe the job.
const (
	Decision      Kind = "decision"       // who the job is, or why it gets nothing
	Issued        Kind = "issued"         // a credential was issued to the job
	Failed        Kind = "failed"         // an allowed job was not prepared
	UploadRefused Kind = "upload_refused" // a stage would have uploaded a secret
	Masked        Kind = "masked"         // a stage has printed secrets, which were masked
	CopiesRemoved Kind = "copies_removed" // files outside of the work tree held secrets of an ended job, and were removed
	CopiesLeft    Kind = "copies_left"    // such files may be left
	Renewed       Kind = "renewed"        // a credential of the job was renewed while a script ran
	Ended         Kind = "ended"          // a job that had credentials has ended
	Withdrawn     Kind = "withdrawn"      // a job that had credentials gets none any more: a broker or an admin has stopped it
	Removed       Kind = "removed"        // a job that had credentials was dead, and was removed
	Revoked       Kind = "revoked"        // a credential of a job that has ended was revoked
	RevokeFailed  Kind = "revoke_failed"  // it could not be revoked, and is valid until it expires or is revoked later
	HandedOver    Kind = "handed_over"    // the job has handed over values to later jobs of its pipeline
	Taken         Kind = "taken"          // the job has got values that earlier jobs have handed over
	Suspended     Kind = "suspended"      // an admin has stopped a tenant, or all; it is about no job
	Resumed       Kind = "resumed"        // an admin has ended that; it is about no job
)

// Known reports whether this version writes events of the kind.
func (k Kind) Known() bool {
	return slices.Contains([]Kind{
		Decision, Issued, Failed, UploadRefused, Masked, CopiesRemoved, CopiesLeft, Renewed, Ended, Withdrawn, Removed, Revoked, RevokeFailed,
		HandedOver, Taken, Suspended, Resumed,
	}, k)
}
