package prepare

import (
	"context"

	"rolecall/internal/admission"
	"rolecall/internal/backend"
	"rolecall/internal/job"
	"rolecall/internal/state"
)

// newRecord lets the backend place a job, and returns the record for the later stages.
func newRecord(response job.Response, d admission.Decision, place Backend, temp string) (state.Record, error) {
	grant, settings := d.Grant, d.Settings
	lease, err := state.NewLease(state.Runner(), response.Timeout)
	if err != nil {
		return state.Record{}, err
	}
	placed, owner, err := place.Place(context.Background(), backend.Spec{
		Job:         response,
		Folder:      grant.Folder(),
		BuildsDir:   settings.BuildsDir,
		CacheDir:    settings.CacheDir,
		TempProject: temp,
		RunAs:       grant.RunAs,
		AsRoot:      grant.RunAs == "", // admission has checked that this is allowed
		Limits:      backend.Limits(grant.Limits),
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

		Metadata: settings.Metadata,

		Backend: placed.Backend,
		Data:    placed.Data,
		Owner:   (*state.Owner)(owner),
	}, nil
}
