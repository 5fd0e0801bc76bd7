package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"rolecall/internal/account"
	"rolecall/internal/backend"
	"rolecall/internal/cgroup"
	"rolecall/internal/fault"
	"rolecall/internal/workdir"
)

// Ready begins to find the cgroup that those of jobs lie in. That takes a while, and
// goes on beside other work; Place waits for it.
func (b *Backend) Ready() { go b.parent() }

// findParent returns the path of the cgroup that those of jobs lie in, empty where
// the host has none for us: run then hunts for processes one by one.
func findParent() string {
	parent, err := cgroup.Own()
	if err != nil {
		return ""
	}
	defer parent.Close()
	return parent.Path()
}

// Place finds the unix user of a job, and makes the folders that it works in or finds
// that the user can make them. The owner is nil where scripts are of the driver's own
// user. What the admin has to correct is a fault.Admin.
func (b *Backend) Place(_ context.Context, s backend.Spec) (backend.State, *backend.Owner, error) {
	p := place{AsRoot: s.AsRoot, Cgroup: b.parent(), Limits: s.Limits}
	var owner *backend.Owner
	if s.RunAs != "" {
		if err := p.settle(s); err != nil {
			return backend.State{}, nil, err
		}
		owner = &backend.Owner{UID: p.User.UID, GID: p.User.GID}
	}
	data, err := json.Marshal(p)
	return backend.State{Backend: Name, Data: data}, owner, err
}

// settle fills in the user, and sees to its folders.
func (p *place) settle(s backend.Spec) error {
	var err error
	p.User, err = lookup(s.RunAs)
	if err != nil {
		return fault.New(fault.Admin, err, "correct run_as in the policy file or --run-as in the runner's config.toml, or the user on the runner's host")
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
	if err == nil {
		err = found.RunnableBy(os.Geteuid())
	}
	if err != nil {
		return nil, err
	}
	return &user{
		Name: found.Name, UID: found.UID, GID: found.GID, Groups: found.Groups, Home: found.Home, Shell: found.Shell,
	}, nil
}

// checkWorkDir reports an error unless a user can make the folder that a job works
// in, which is beside temp. Only its owner and mode count: the scripts that make it
// would fail without a word of whose mistake that is.
func checkWorkDir(temp string, as *user) error {
	dir := filepath.Dir(temp)
	info, err := os.Stat(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		info, err = os.Stat(dir)
	}
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid == as.UID && info.Mode()&0o300 == 0o300 || info.Mode()&0o003 == 0o003 {
		return nil
	}
	if slices.Contains(as.Groups, stat.Gid) && info.Mode()&0o030 == 0o030 {
		return nil
	}
	return fault.New(fault.Admin, fmt.Errorf("user %q cannot make folders in %s, where its jobs work", as.Name, dir),
		fmt.Sprintf("let builds_dir and cache_dir of the runner's config.toml belong to it: chown %s %s", as.Name, dir))
}

// makeFolders makes the folders of the tenant and trust class.
func makeFolders(s backend.Spec, as *user) error {
	for _, folder := range []struct{ base, names string }{
		{s.BuildsDir, s.Folder},
		{s.BuildsDir, s.Folder + ".tmp"},
		{s.CacheDir, s.Folder},
	} {
		if err := workdir.Make(folder.base, folder.names, as.UID, as.GID); err != nil {
			return fault.New(fault.Admin, err, "")
		}
	}
	return nil
}
