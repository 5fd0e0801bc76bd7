package backend

import (
	"context"
	"encoding/json"
	"fmt"

	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// Reaper ends the processes that a job has left.
type Reaper interface {
	// Name returns the name of the backend, which the record of a job contains.
	Name() string
	// Reap kills the processes of a job, and removes the cgroup or container that held
	// them. Data is the Data of the job's State. If there is nothing to end, Reap
	// succeeds; if it returns an error, something may be left.
	Reap(ctx context.Context, data json.RawMessage, id job.ID) error
}

// Named returns the first of backends that has the name. Without one the error is a
// fault.Admin: another version of the driver has made the job's record.
func Named[B interface{ Name() string }](backends []B, name string) (B, error) {
	for _, b := range backends {
		if b.Name() == name {
			return b, nil
		}
	}
	var none B
	return none, fault.New(fault.Programs, fmt.Errorf("this program does not know the backend %q that the job runs in", name),
		"install all programs of one version of rolecall")
}

// Reap returns a function that reaps a job with the backend of the given name. Its
// errors are those of Named and of the backend.
func Reap[B Reaper](backends []B) func(ctx context.Context, name string, data json.RawMessage, id job.ID) error {
	return func(ctx context.Context, name string, data json.RawMessage, id job.ID) error {
		b, err := Named(backends, name)
		if err != nil {
			return err
		}
		return b.Reap(ctx, data, id)
	}
}
