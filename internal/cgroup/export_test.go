package cgroup

import "context"

// OwnOf is Own for one kind.
func OwnOf(kind Kind) (*Parent, error) { return own(kind) }

// SetSlow makes the group kill as on a kernel without cgroup.kill.
func (g *Group) SetSlow() { g.slow = true }

// Folders finds the process's own cgroup.
var Folders = folders

// KillSlowly kills the group of a job as on a kernel without cgroup.kill.
func KillSlowly(ctx context.Context, p *Parent, name Name) error {
	g, err := p.open(name)
	if err != nil {
		return err
	}
	defer g.Close()
	g.slow = true
	return g.Kill(ctx)
}

// KillSome kills those of pids that are in the group.
func (g *Group) KillSome(pids []int) error { return g.signalSome(pids) }

// OpenIn opens a group in that of p, by any name, and closes it.
func OpenIn(p *Parent, name string) error {
	d, err := p.dir.open(name)
	if err == nil {
		d.close()
	}
	return err
}
