package backend

import (
	"context"
	"encoding/json"

	"rolecall/internal/job"
)

// Tidier removes what jobs have left outside of their records: a record can be lost, as on a
// tmpfs when the host reboots.
type Tidier interface {
	// Tidy removes what jobs that no record names have left in the folder of image stores,
	// and returns a line for each. What it cannot do before ctx ends is for the next Tidy,
	// and is no error.
	Tidy(ctx context.Context, images string, find Finder) ([]string, error)
}

// Finder returns the Data of the State in the record of a job, whose folder is below root.
// Nil says that there is something of the job that cannot be read. If there is nothing, the
// error is an fs.ErrNotExist.
type Finder func(root string, id job.ID) (json.RawMessage, error)
