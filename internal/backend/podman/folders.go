package podman

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"

	"rolecall/internal/workdir"
)

// LinksDir is the folder of links to the runDir of each job, and to each store. podman
// refuses a runDir whose path has more than 50 characters. Nothing but links is in it: no job
// may write to /run, where the credentials of other jobs can be.
const LinksDir = "/run/rolecall-podman"

// run returns the path of the runDir of the job.
func (p place) run() string { return filepath.Join(p.Dir, runDir) }

// linkTo returns the path of the link to a folder.
func linkTo(dir string) string {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(dir))
	return filepath.Join(LinksDir, fmt.Sprintf("%016x", hash.Sum64()))
}

// makeLinks makes the links to folders. Another job, or an earlier attempt at this one, may
// have made them.
func makeLinks(dirs ...string) error {
	if err := workdir.MakePassage(filepath.Dir(LinksDir), filepath.Base(LinksDir)); err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.Symlink(dir, linkTo(dir)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// make makes the folders of the job. An earlier attempt at the job may have left some. The
// caller has locked the folders of jobs.
func (p place) make(of note, uid, gid uint32) error {
	if err := os.RemoveAll(p.Dir); err != nil {
		return err
	}
	if err := makeLinks(p.run(), p.Store); err != nil {
		return err
	}
	base, name := p.images(), filepath.Join(jobsDir, filepath.Base(p.Dir))
	if err := errors.Join(workdir.MakePassage(base, name), of.write(p.Dir)); err != nil {
		return err
	}
	if err := p.configure(name, uid, gid); err != nil {
		return err
	}
	if err := p.giveFeatures(name, uid, gid); err != nil {
		return err
	}
	for _, folder := range []string{rootDir, runDir, homeDir, tempDir} {
		if err := workdir.Make(base, filepath.Join(name, folder), uid, gid); err != nil {
			return err
		}
	}
	return nil
}

// settings are podman's, beside those of the host. By default podman has 2048 locks in
// /dev/shm for all containers that a user ever has until the host reboots, since nobody asks
// podman to remove a container. Locks in files are in the runDir of the job, and end with it.
//
// https://github.com/containers/common/blob/v0.50.1/docs/containers.conf.5.md (lock_type)
const settings = "[engine]\nlock_type = \"file\"\n"

// configure writes the settings into podman's HOME, which is not its user's yet.
func (p place) configure(name string, uid, gid uint32) error {
	const dir = homeDir + "/.config"
	if err := workdir.MakePassage(p.images(), filepath.Join(name, dir, "containers")); err != nil {
		return err
	}
	if err := give(filepath.Join(p.Dir, dir, "containers", "containers.conf"), settings, uid, gid); err != nil {
		return err
	}
	return workdir.Make(p.images(), filepath.Join(name, dir), uid, gid)
}

// images returns the folder of the image stores of all tenants.
func (p place) images() string { return filepath.Dir(filepath.Dir(p.Dir)) }

// remove removes the folders and the link of the job. It follows no link. What it cannot
// remove before ctx ends is an error.
func (p place) remove(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- os.RemoveAll(p.Dir) }()
	select {
	case err := <-done:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return errors.Join(ctx.Err(), fmt.Errorf("%s is not removed yet", p.Dir))
	}
	err := os.Remove(linkTo(p.run()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
