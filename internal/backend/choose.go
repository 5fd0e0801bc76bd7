package backend

import (
	"context"
	"encoding/json"
	"fmt"

	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// Reaper ends what a job has left in its place.
type Reaper interface {
	// Name returns the name of the backend, by which a record knows it.
	Name() string
	// Reap kills the processes of a job, and removes what held them. Data is that of
	// the job's State. That nothing is there is success; where Reap returns an error,
	// something may be left.
	Reap(ctx context.Context, data json.RawMessage, id job.ID) error
}

// Named returns the first of backends that has that name. The error is a
// fault.Admin: another version of the driver has made the job's record.
func Named[B interface{ Name() string }](backends []B, name string) (B, error) {
	for _, b := range backends {
		if b.Name() == name {
			return b, nil
		}
	}
	var none B
	return none, fault.New(fault.Admin, fmt.Errorf("the job runs in a place of the kind %q, which this program does not know", name),
		"install the programs of one version of rolecall")
}

// Reap returns a function that lets the one of backends reap a job that has the
// name. Its error is that of Named or of the backend.
func Reap[B Reaper](backends []B) func(ctx context.Context, name string, data json.RawMessage, id job.ID) error {
	return func(ctx context.Context, name string, data json.RawMessage, id job.ID) error {
		b, err := Named(backends, name)
		if err != nil {
			return err
		}
		return b.Reap(ctx, data, id)
	}
}
