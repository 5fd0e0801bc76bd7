package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"

	"rolecall/internal/cgroup"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/script"
)

// groupTime bounds the time to make a cgroup, and the time to kill and remove it.
const groupTime = 5 * time.Second

// group is the cgroup of the job, below the cgroup of the runner.
type group struct {
	*cgroup.Group
	parent *cgroup.Parent
	name   cgroup.Name
}

// Begin starts to make the cgroup of the job, if the job's record names a parent for it.
// The cgroup is made beside other work, and Run waits for it. The caller must call end
// once the script has ended, or if no script is run: end kills and removes the cgroup,
// and returns an error if the cgroup stays. If Begin returns an error, end is nil.
func (b *Backend) Begin(data json.RawMessage, id job.ID) (end func() error, err error) {
	p, err := open(data)
	if err != nil {
		return nil, err
	}
	b.group = sync.OnceValues(func() (*group, error) { return newGroup(p.Cgroup, p.group(id)) })
	go b.group() //nolint:errcheck // Run asks for it
	return b.end, nil
}

// newGroup makes the job's cgroup below the cgroup at path. It returns nil if the host
// lets us have none.
func newGroup(path string, name cgroup.Name) (*group, error) {
	if path == "" {
		return nil, nil
	}
	parent, err := cgroup.Own()
	if err != nil {
		return nil, nil //nolint:nilerr // prepare found it, and cleanup looks for it again
	}
	if parent.Path() != path {
		parent.Close()
		return nil, nil
	}
	return newGroupIn(parent, name)
}

// newGroupIn makes the job's cgroup below parent, which it closes if there is no cgroup.
func newGroupIn(parent *cgroup.Parent, name cgroup.Name) (*group, error) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	made, err := parent.Create(ctx, name)
	if err == nil {
		return &group{made, parent, name}, nil
	}
	parent.Close()
	if errors.Is(err, cgroup.ErrUnavailable) {
		return nil, nil
	}
	return nil, err
}

// end kills and removes the cgroup.
func (b *Backend) end() error {
	g, _ := b.group() // Run has reported the error
	if g == nil {
		return nil
	}
	return g.remove()
}

// remove kills and removes the cgroup, and closes all that is open.
func (g *group) remove() error {
	g.Close()
	defer g.parent.Close()
	ctx, cancel := context.WithTimeout(context.Background(), groupTime)
	defer cancel()
	if err := g.parent.Remove(ctx, g.name); err != nil {
		return fmt.Errorf("the cgroup of the job stays until the cleanup stage: %w", err)
	}
	return nil
}

// lasting returns the name of the second cgroup of a job.
func (p place) lasting(id job.ID) cgroup.Name {
	return cgroup.NameOf(int64(id), markOf(p.Mark, "lasting"))
}

// Lasting makes a second cgroup of the job, which stays with its processes until
// ReapLasting. It returns how to start a program in it, as StartIn does, in a process that
// the program outlives if it starts another one. A host that has no cgroups for jobs is a
// fault.Admin.
func (b *Backend) Lasting(data json.RawMessage, id job.ID) (start func(*exec.Cmd, *script.Namespace) error, err error) {
	p, err := open(data)
	if err != nil {
		return nil, err
	}
	group, err := newGroup(p.Cgroup, p.lasting(id))
	if err == nil && group == nil {
		err = fault.New(fault.NoContainers, errors.New("this host has no cgroup for what must run as long as the job"),
			"let the runner's service make cgroups below its own: Delegate=yes in its unit")
	}
	if err != nil {
		return nil, err
	}
	return func(cmd *exec.Cmd, own *script.Namespace) error {
		as := p.scriptUser()
		as.Own = own
		return script.Start(cmd, as, group.Group)
	}, nil
}

// ReapLasting kills the processes in the cgroup of Lasting, and removes it.
func (*Backend) ReapLasting(ctx context.Context, data json.RawMessage, id job.ID) error {
	p, err := parse(data)
	if err != nil || p.Cgroup == "" {
		return err
	}
	return cgroup.Reap(ctx, p.Cgroup, p.lasting(id))
}
