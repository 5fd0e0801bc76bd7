package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"rolecall/internal/account"
	"rolecall/internal/backend"
	"rolecall/internal/cgroup"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/workdir"
)

// Ready starts to find the parent of jobs' cgroups. That takes a while and runs beside
// other work; Place waits for it.
func (b *Backend) Ready() { go b.parent() }

// findParent returns the path of the parent of jobs' cgroups. It is empty if the host
// lets us have none: run then finds and kills leftover processes one by one.
func findParent() string {
	parent, err := cgroup.Own()
	if err != nil {
		return ""
	}
	defer parent.Close()
	return parent.Path()
}

// Place finds the unix user of a job. It makes the folders that the job works in, or
// checks that the user can make them. The owner is nil if scripts run as the driver's
// user. Mistakes of the admin are a fault.Admin.
func (b *Backend) Place(_ context.Context, s backend.Spec) (backend.State, *backend.Owner, error) {
	p := place{AsRoot: s.AsRoot, Cgroup: b.parent(), Mark: markOf(s.Store, s.Job.Proof), Limits: s.Limits}
	var owner *backend.Owner
	if s.RunAs != "" {
		if err := p.settle(s); err != nil {
			return backend.State{}, nil, err
		}
		owner = &backend.Owner{UID: p.User.UID, GID: p.User.GID}
	} else if known, ok := account.Login(os.Geteuid()); ok {
		p.Login = newUser(known)
	}
	if err := p.setHome(s); err != nil {
		return backend.State{}, nil, fault.New(fault.BadHome, err, "")
	}
	data, err := json.Marshal(p)
	return backend.State{Backend: Name, Data: data, OwnDirs: p.ownDirs(s), Caches: below(s.CacheDir, s.Folder)}, owner, err
}

// markOf returns the mark of a job's cgroup. Other services of this host, and runners of
// other GitLab servers, can have a job of the same id in the same cgroup: their jobs are
// in another store or have another proof.
func markOf(store, proof string) string {
	hash := fnv.New64a()
	_, _ = fmt.Fprintf(hash, "%s\x00%s", store, proof)
	return fmt.Sprintf("%016x", hash.Sum64())
}

// settle fills in the user of the job, and makes or checks the folders of its work.
func (p *place) settle(s backend.Spec) error {
	var err error
	p.User, err = lookup(s.RunAs)
	if err != nil {
		return fault.New(fault.BadUser, err, "correct run_as in the policy file or --run-as in the runner's config.toml, or the user on the runner's host")
	}
	if s.BuildsDir == "" {
		return checkWorkDir(s.TempProject, p.User)
	}
	p.Temp = filepath.Join(s.BuildsDir, s.Folder+".tmp")
	return makeFolders(s, p.User)
}

// lookup returns a unix user of the host that scripts can run as.
func lookup(name string) (*user, error) {
	found, err := account.Lookup(name)
	if err != nil {
		return nil, err
	}
	return newUser(found), found.RunnableBy(os.Geteuid())
}

// newUser returns the user of an account, in the form of the record.
func newUser(a account.Account) *user {
	return &user{Name: a.Name, UID: a.UID, GID: a.GID, Groups: a.Groups, Home: a.Home, Shell: a.Shell}
}

// checkWorkDir returns an error unless a user can make the folder that a job works in,
// which lies beside temp. Without this check the runner's script would fail to make the
// folder, and its message would not say whose mistake that is.
func checkWorkDir(temp string, as *user) error {
	dir, info, err := nearest(filepath.Dir(temp))
	if err != nil || as.canMakeIn(info) {
		return err
	}
	return fault.New(fault.BadUser, fmt.Errorf("user %q cannot make folders in %s, where its jobs work", as.Name, dir),
		fmt.Sprintf("let builds_dir and cache_dir of the runner's config.toml belong to it: chown %s %s", as.Name, dir))
}

// nearest returns dir if it exists, else the first folder above it that does.
func nearest(dir string) (string, os.FileInfo, error) {
	info, err := os.Stat(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	return dir, info, err
}

// canMakeIn reports whether owner, groups and mode of a folder let the user make files
// in it.
func (u *user) canMakeIn(dir os.FileInfo) bool {
	stat, ok := dir.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	has := func(rights os.FileMode) bool { return dir.Mode()&rights == rights }
	return stat.Uid == u.UID && has(0o300) || slices.Contains(u.Groups, stat.Gid) && has(0o030) || has(0o003)
}

// setHome makes the HOME of the tenant and trust class, if jobs have one of their own. A
// driver that is not root runs all scripts as one user, whose home they have.
func (p *place) setHome(s backend.Spec) error {
	if !s.OwnHome || s.BuildsDir == "" || os.Geteuid() != 0 {
		return nil
	}
	names := workdir.HomeOf(s.Folder)
	p.Home, p.Source = filepath.Join(s.BuildsDir, names), s.Skeleton
	return workdir.MakeHome(s.BuildsDir, names, s.Skeleton, p.owner())
}

// owner returns the user of the job's scripts.
func (p *place) owner() workdir.Owner {
	if p.User == nil {
		return workdir.Owner{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())} //nolint:gosec // ids
	}
	return workdir.Owner{UID: p.User.UID, GID: p.User.GID}
}

// ownDirs returns the folder for the own folders of jobs of the tenant and trust class.
func (p *place) ownDirs(s backend.Spec) string {
	if p.User == nil || s.BuildsDir == "" {
		return ""
	}
	return filepath.Join(s.BuildsDir, s.Folder+".own")
}

// makeFolders makes the folders of the tenant and trust class.
func makeFolders(s backend.Spec, as *user) error {
	for _, folder := range []struct{ base, names string }{
		{s.BuildsDir, s.Folder},
		{s.BuildsDir, s.Folder + ".tmp"},
		{s.CacheDir, s.Folder},
	} {
		if err := workdir.Make(folder.base, folder.names, as.UID, as.GID); err != nil {
			return fault.New(fault.BadUser, err, "")
		}
	}
	if err := workdir.MakePassage(s.BuildsDir, s.Folder+".own"); err != nil {
		return fault.New(fault.BadHome, err, "")
	}
	return nil
}

// Furnish gives a job's own folder, which is empty and the driver's user's, to the user of
// the job. Before that it makes copies there of files of tools, whose paths are below HOME:
// those of the skeleton, if the job has a HOME of its tenant and trust class, or those of
// the user's HOME. Service is the environment of the runner's service.
func (*Backend) Furnish(data json.RawMessage, own string, files []backend.ToolFile, service []string) error {
	p, err := open(data)
	if err != nil {
		return err
	}
	from := workdir.Source{Dir: p.Source, Admins: true}
	if p.Home == "" {
		from = workdir.Source{Dir: job.Get(p.environ(service), "HOME")}
	}
	if err := workdir.Furnish(own, from, files, p.owner()); err != nil {
		return fault.New(fault.BadHome, err, "")
	}
	return nil
}
