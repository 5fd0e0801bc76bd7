package podman

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

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
	if err := check(owner); err != nil {
		return backend.State{}, nil, fault.New(fault.NoContainers, err, "")
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
		Slot:    filepath.Dir(s.TempProject),
		Own:     filepath.Join(state.OwnDirs, s.Job.ID.String()),
	}
	if err := p.reserve(engine.ImagesDir, *owner, s.Folder); err != nil {
		return backend.State{}, nil, fault.New(fault.NoContainers, err, "correct images_dir in [containers] of the policy file, or what is at this path")
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

// check returns an error, with what to do, if this host cannot run containers for a job.
func check(owner *backend.Owner) error {
	if owner == nil {
		return errors.New("a job with an image needs a unix user: set run_as of its tenant")
	}
	for _, program := range []string{"podman", "crun"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is not installed; install podman and crun, such as by: apt-get install podman crun catatonit", program)
		}
	}
	return checkCgroup("/sys/fs/cgroup")
}

// checkCgroup returns an error if this host has cgroups of version 1: crun starts no
// container there for a user who is not root.
func checkCgroup(mount string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(mount, &fs); err != nil {
		return fmt.Errorf("%s: %w", mount, err)
	}
	if fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return fmt.Errorf("%s has cgroups of version 1; start this host with the kernel parameter systemd.unified_cgroup_hierarchy=1", mount)
	}
	return nil
}
