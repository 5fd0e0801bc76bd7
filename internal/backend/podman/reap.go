package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"rolecall/internal/job"
)

// Reap kills all processes of the job, gives the files of its container to the job's user,
// and removes the job's engine root. It does not ask podman. What it cannot remove before
// ctx ends is an error, and is for the next Reap. Of data that cannot be read it uses what it can:
// the note in the folder of the job's containers has the same data, and Tidy ends the job by
// them when its record is gone.
func (b *Backend) Reap(ctx context.Context, data json.RawMessage, id job.ID) error {
	p, err := parse(data)
	if err != nil {
		_ = errors.Join(b.Backend.Reap(ctx, data, id), b.ReapLasting(ctx, data, id))
		return nil // a record that cannot be read must not stay for ever
	}
	if err := errors.Join(b.Backend.Reap(ctx, data, id), b.ReapLasting(ctx, data, id)); err != nil {
		return err
	}
	if filepath.Base(filepath.Dir(p.Dir)) != jobsDir || !filepath.IsAbs(p.Dir) {
		return fmt.Errorf("%s is no folder of a job's containers", p.Dir)
	}
	if p.isLent() {
		e, err := b.newEngine(data)
		if err != nil {
			return err
		}
		if err := e.takeBack(ctx); err != nil {
			return err
		}
	}
	return p.remove(ctx)
}
