package podman

import (
	"context"
	"encoding/json"

	"rolecall/internal/job"
)

// Import puts an image into the store of a placed job. Args are those of podman import.
func (b *Backend) Import(ctx context.Context, data json.RawMessage, id job.ID, args ...string) error {
	e, err := b.newEngine(data)
	if err != nil {
		return err
	}
	end, err := b.Begin(data, id)
	if err != nil {
		return err
	}
	defer end() //nolint:errcheck // a test
	if err := e.place.make(e.as.UID, e.as.GID); err != nil {
		return err
	}
	_, err = e.do(ctx, e.place.onStore(append([]string{"import", "--quiet"}, args...)...))
	return err
}

// DirOf returns the folder of a job's containers.
func DirOf(data json.RawMessage) string {
	p, _ := parse(data)
	return p.Dir
}
