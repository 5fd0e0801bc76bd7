package run

import (
	"context"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/gate"
	"rolecall/internal/revocation"
	"rolecall/internal/state"
)

// tell writes an event about the job to the audit log. That the log cannot be written is
// only a warning: nothing is given to the job here.
func (r running) tell(kind audit.Kind, fill func(*audit.Event)) {
	r.Warn(r.folder.Record().Audit.Tell(kind, name, fill))
}

// tellMasked tells how many times the output of the stage was masked, if it was.
func (r running) tellMasked() {
	if marks := r.Marks(); marks > 0 {
		r.tell(audit.Masked, func(e *audit.Event) { e.Stage, e.Count = r.Args[1], marks })
	}
}

// tellRefused tells that nothing of a stage was uploaded, for a fault of the files that the
// report names. Any other err is not told here.
func (r running) tellRefused(report gate.Report, err error) {
	var places []audit.Place
	switch fault.CodeOf(err) {
	case fault.SecretInUpload:
		for _, p := range report.Found {
			place := r.placeOf(p)
			place.Kind = r.Masked(p.Says)
			places = append(places, place)
		}
	case fault.UploadUnsearched:
		for _, p := range report.Refused {
			place := r.placeOf(p)
			place.Reason = r.Masked(p.Says)
			places = append(places, place)
		}
	default:
		return
	}
	r.tell(audit.UploadRefused, func(e *audit.Event) {
		e.Fail(err)
		e.Reason = "" // the places say it
		e.Stage = r.Args[1]
		e.Locate(places)
	})
}

// placeOf returns a place without what is wrong there, masked: a job chooses its names.
func (r running) placeOf(p gate.Place) audit.Place {
	return audit.Place{Upload: r.Masked(p.Upload), File: r.Masked(p.Name), Inside: r.Masked(p.Inside)}
}

// finish ends the job, in the place of the cleanup stage. Cause is what makes it necessary.
func (r running) finish(cause error) error {
	_, err := state.Finish(context.Background(), r.folder.Root(), r.key, backend.Reap(r.parts.Backends), func(e state.Ended, left error) {
		if left != nil {
			cause = fault.New(fault.LeftBehind, left, "")
		}
		r.Warn(e.Tell(audit.Ended, name, cause))
	})
	r.Warn(revocation.Ask(context.Background(), r.folder.Root(), r.key, r.Env.Service))
	return err
}
