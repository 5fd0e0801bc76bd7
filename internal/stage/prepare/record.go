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

// newSpec returns what a job needs from the place of its scripts. Root is the folder of the
// state of all jobs, and temp the one beside the work tree of the job.
func newSpec(response job.Response, s *session.Session, root, temp string) backend.Spec {
	grant, settings := s.Grant, s.Settings
	return backend.Spec{
		Job:         response,
		Store:       root,
		Folder:      grant.Folder(),
		BuildsDir:   settings.BuildsDir,
		CacheDir:    settings.CacheDir,
		TempProject: temp,
		RunAs:       grant.RunAs,
		AsRoot:      grant.RunAs == "", // admission has checked that this is allowed
		Limits:      backend.Limits(grant.Limits),
		OwnHome:     !settings.PasswdHome,
		Skeleton:    settings.HomeSkeleton,
		Containers:  s.Containers,
	}
}

// newRecord lets the backend place a job, and returns the record for the later stages. With
// own, the job has a folder of its own.
func newRecord(s *session.Session, place Backend, spec backend.Spec, own bool) (state.Record, error) {
	grant, settings := s.Grant, s.Settings
	trail, err := s.Trail()
	if err != nil {
		return state.Record{}, err
	}
	lease, err := state.NewLease(state.Runner(), spec.Job.Timeout)
	if err != nil {
		return state.Record{}, err
	}
	placed, owner, err := place.Place(context.Background(), spec)
	if err != nil {
		return state.Record{}, err
	}
	return state.Record{
		Project: spec.Job.Project,
		Tenant:  string(grant.Tenant),
		IDToken: grant.IDToken,
		Lease:   lease,
		Gate:    state.Gate(settings.Gate),
		Audit:   trail,

		Requests: grant.Requests,
		Metadata: settings.Metadata,
		Notes:    notesOf(s.Decision),

		Backend: placed.Backend,
		Data:    placed.Data,
		Owner:   (*state.Owner)(owner),
		Own:     ownOf(placed, own),
		Caches:  placed.Caches,
	}, nil
}

// ownOf returns where the job's own folder is, as the record says it.
func ownOf(placed backend.State, own bool) string {
	if !own {
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
