package run

import (
	"context"
	"errors"
	"time"

	"rolecall/internal/cgroup"
	"rolecall/internal/job"
	"rolecall/internal/program"
)

// groupTime bounds the making and the removing of a cgroup, in which processes may
// have to die.
const groupTime = 5 * time.Second

// group is the cgroup of the job, in that of the runner.
type group struct {
	*cgroup.Group
	parent *cgroup.Parent
}

// makeGroup begins to make the cgroup of the job in that of the path, where the
// record says that it is. The function that it returns waits until that is done; it
// returns nil where the host has none for us. That takes as long as to make the
// masks, so it goes on beside that.
func makeGroup(path string, key job.Key) func() (*group, error) {
	var made *group
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		if path != "" {
			made, err = newGroup(path, key)
		}
	}()
	return func() (*group, error) {
		<-done
		return made, err
	}
}

// newGroup makes the cgroup.
func newGroup(path string, key job.Key) (*group, error) {
	parent, err := cgroup.Own()
	if err != nil {
		return nil, nil //nolint:nilerr // it was there for prepare, and is for cleanup to look for
	}
	if parent.Path() != path {
		parent.Close()
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	made, err := parent.Create(ctx, int64(key.ID))
	if err == nil {
		return &group{made, parent}, nil
	}
	parent.Close()
	if errors.Is(err, cgroup.ErrUnavailable) {
		return nil, nil
	}
	return nil, err
}

// remove removes the cgroup, with all that is in it.
func (g *group) remove(c *program.Call, key job.Key) {
	g.Close()
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	if err := g.parent.Remove(ctx, int64(key.ID)); err != nil {
		c.Log.Warnf("the cgroup of the job stays until clean-up: %v", err)
	}
	g.parent.Close()
}
