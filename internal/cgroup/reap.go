package cgroup

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// reapTime is how long the processes of one job may take to die.
const reapTime = 10 * time.Second

// Reap kills the processes in the group of a job and removes the group below parent, a
// result of Parent.Path. It is not an error if the parent or the group does not exist: both
// disappear when the host reboots or the runner's service ends. The errors are those of
// At and Remove. It ends with ctx, and takes at most ten seconds.
func Reap(ctx context.Context, parent string, name Name) error {
	p, err := At(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(ctx, reapTime)
	defer cancel()
	return p.Remove(ctx, name)
}
