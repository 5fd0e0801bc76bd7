package podman

import (
	"context"
	"fmt"
	"path/filepath"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/workdir"
)

// Folders below the folder of the image stores of all tenants, which are beside them. No
// tenant has such a name.
const (
	jobsDir = ".jobs" // a folder for each job that has containers
	idsDir  = ".ids"  // a link for each range of ids
)

// Place is that of package host, and finds out where the containers of the job will be. It
// makes nothing that a job leaves. A host that cannot run containers is a fault.Admin.
func (b *Backend) Place(ctx context.Context, s backend.Spec) (backend.State, *backend.Owner, error) {
	state, owner, err := b.Backend.Place(ctx, s)
	if err != nil {
		return backend.State{}, nil, err
	}
	if err := check(owner, *s.Containers); err != nil {
		return backend.State{}, nil, err
	}
	key, err := b.Key(state.Data, s.Job.ID)
	if err != nil {
		return backend.State{}, nil, err
	}
	engine := s.Containers.Engine
	p := place{
		Dir:     filepath.Join(engine.ImagesDir, jobsDir, key),
		Store:   filepath.Join(engine.ImagesDir, s.Folder),
		Network: engine.Network,
		Root:    s.Store,
		Slot:    filepath.Dir(s.TempProject),
		Own:     filepath.Join(state.OwnDirs, s.Job.ID.String()),
	}
	if err := checkPaths(p); err != nil {
		return backend.State{}, nil, err
	}
	if err := p.reserve(engine.ImagesDir, *owner, s.Folder); err != nil {
		return backend.State{}, nil, fault.New(fault.NoContainers, fmt.Errorf("images_dir of this host cannot be used: %w", err),
			"correct images_dir in [containers] of the policy file, or what is at this path").With("images_dir", engine.ImagesDir)
	}
	state.Backend = Name
	state.Data, err = extend(state.Data, p)
	return state, owner, err
}

// reserve makes the folders that stay when the job ends, and reserves the ids.
func (p *place) reserve(dir string, owner backend.Owner, folder string) error {
	for _, passage := range []string{jobsDir, idsDir} {
		if err := workdir.MakePassage(dir, passage); err != nil {
			return err
		}
	}
	if err := workdir.Make(dir, folder, owner.UID, owner.GID); err != nil {
		return err
	}
	var err error
	p.IDs, err = reserve(filepath.Join(dir, idsDir), owner.UID)
	return err
}
