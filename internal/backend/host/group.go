package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"rolecall/internal/cgroup"
	"rolecall/internal/job"
)

// groupTime bounds the making and the removing of a cgroup, in which processes may
// have to die.
const groupTime = 5 * time.Second

// group is the cgroup of the job, in that of the runner.
type group struct {
	*cgroup.Group
	parent *cgroup.Parent
}

// Begin begins to make the cgroup of the job, where its record says that it can be
// made. That goes on beside other work; Run waits for it. The function that it
// returns must be called when the script has ended or was not run: it removes the
// cgroup with all that is in it, and its error says that this stays. Where Begin
// itself returns an error there is no such function.
func (b *Backend) Begin(data json.RawMessage, id job.ID) (end func() error, err error) {
	p, err := open(data)
	if err != nil {
		return nil, err
	}
	b.group = sync.OnceValues(func() (*group, error) { return newGroup(p.Cgroup, id) })
	go b.group() //nolint:errcheck // Run asks for it
	return func() error { return b.end(id) }, nil
}

// newGroup makes the cgroup in that of the path. It is nil where the host has none for
// us.
func newGroup(path string, id job.ID) (*group, error) {
	if path == "" {
		return nil, nil
	}
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
	made, err := parent.Create(ctx, int64(id))
	if err == nil {
		return &group{made, parent}, nil
	}
	parent.Close()
	if errors.Is(err, cgroup.ErrUnavailable) {
		return nil, nil
	}
	return nil, err
}

// end removes the cgroup, with all that is in it.
func (b *Backend) end(id job.ID) error {
	g, _ := b.group() // Run has told why there is none
	if g == nil {
		return nil
	}
	g.Close()
	defer g.parent.Close()
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	if err := g.parent.Remove(ctx, int64(id)); err != nil {
		return fmt.Errorf("the cgroup of the job stays until clean-up: %w", err)
	}
	return nil
}
