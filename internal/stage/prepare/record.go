package prepare

import (
	"cmp"
	"context"

	"rolecall/internal/admission"
	"rolecall/internal/backend"
	"rolecall/internal/job"
	"rolecall/internal/session"
	"rolecall/internal/state"
)

// folders are where the runner and the driver keep what belongs to a job.
type folders struct {
	root string // of the state of all jobs
	temp string // beside the work tree of the job
	own  bool   // the job has a folder of its own
}

// newRecord lets the backend place a job, and returns the record for the later stages.
func newRecord(response job.Response, s *session.Session, place Backend, where folders) (state.Record, error) {
	grant, settings := s.Grant, s.Settings
	trail, err := s.Trail()
	if err != nil {
		return state.Record{}, err
	}
	lease, err := state.NewLease(state.Runner(), response.Timeout)
	if err != nil {
		return state.Record{}, err
	}
	placed, owner, err := place.Place(context.Background(), backend.Spec{
		Job:         response,
		Store:       where.root,
		Folder:      grant.Folder(),
		BuildsDir:   settings.BuildsDir,
		CacheDir:    settings.CacheDir,
		TempProject: where.temp,
		RunAs:       grant.RunAs,
		AsRoot:      grant.RunAs == "", // admission has checked that this is allowed
		Limits:      backend.Limits(grant.Limits),
		OwnHome:     !settings.PasswdHome,
		Skeleton:    settings.HomeSkeleton,
	})
	if err != nil {
		return state.Record{}, err
	}
	return state.Record{
		Project: response.Project,
		Tenant:  string(grant.Tenant),
		IDToken: grant.IDToken,
		Lease:   lease,
		Gate:    state.Gate(settings.Gate),
		Audit:   trail,

		Metadata: settings.Metadata,
		Notes:    notesOf(s.Decision),

		Backend: placed.Backend,
		Data:    placed.Data,
		Owner:   (*state.Owner)(owner),
		Own:     where.ownOf(placed),
	}, nil
}

// ownOf returns where the job's own folder is, as the record says it.
func (f folders) ownOf(placed backend.State) string {
	if !f.own {
		return ""
	}
	return cmp.Or(placed.OwnDirs, state.OwnHere)
}

// notesOf returns the notes of a decision, for the job's script stage.
func notesOf(d admission.Decision) []state.Note {
	var notes []state.Note
	for _, n := range d.Notes {
		notes = append(notes, state.Note(n))
	}
	return notes
}
