package cgroup

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// reapTime bounds how long the processes of one job may take to die.
const reapTime = 10 * time.Second

// Reap kills the processes of a job and removes its group below the cgroup of that
// path, as Parent.Path gives it. A parent or a group that does not exist is no
// error: a reboot, or the end of the runner's service, removes them. The errors are
// those of At and Remove.
func Reap(parent string, job int64) error {
	p, err := At(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(context.Background(), reapTime)
	defer cancel()
	return p.Remove(ctx, job)
}
