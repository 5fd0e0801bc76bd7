package prepare

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"rolecall/internal/account"
	"rolecall/internal/admission"
	"rolecall/internal/cgroup"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
	"rolecall/internal/workdir"
)

// findCgroup sends the path of the cgroup that those of jobs lie in, empty where the
// host has none for us: run then hunts for processes one by one. To find it takes a
// while, and goes on beside other work.
func findCgroup() <-chan string {
	path := make(chan string, 1)
	go func() {
		parent, err := cgroup.Own()
		if err != nil {
			path <- ""
			return
		}
		defer parent.Close()
		path <- parent.Path()
	}()
	return path
}

// newRecord returns what the later stages need to know of a job. For one that runs
// as another user, its folders are there then, or that user can make them: temp is
// the one beside its work tree.
func newRecord(response job.Response, d admission.Decision, cgroup, temp string) (state.Record, error) {
	grant, settings := d.Grant, d.Settings
	lease, err := state.NewLease(state.Runner(), response.Timeout)
	if err != nil {
		return state.Record{}, err
	}
	record := state.Record{
		Tenant:  string(grant.Tenant),
		IDToken: grant.IDToken,
		AsRoot:  grant.RunAs == "", // admission has let it
		Cgroup:  cgroup,
		Lease:   lease,
		Gate:    state.Gate(settings.Gate),
		Limits:  state.Limits(grant.Limits),
	}
	if grant.RunAs == "" {
		return record, nil
	}
	record.User, err = user(grant.RunAs)
	if err != nil {
		return state.Record{}, fault.New(fault.Admin, err, "correct run_as in the policy file or --run-as in the runner's config.toml, or the user on the runner's host")
	}
	if settings.BuildsDir == "" {
		return record, checkWorkDir(temp, record.User)
	}
	record.Temp = filepath.Join(settings.BuildsDir, grant.Folder()+".tmp")
	return record, makeFolders(grant, settings, record.User)
}

// user returns a unix user of the host that scripts can run as.
func user(name string) (*state.User, error) {
	found, err := account.Lookup(name)
	if err == nil {
		err = found.RunnableBy(os.Geteuid())
	}
	if err != nil {
		return nil, err
	}
	return &state.User{
		Name: found.Name, UID: found.UID, GID: found.GID, Groups: found.Groups, Home: found.Home, Shell: found.Shell,
	}, nil
}

// checkWorkDir reports an error unless a user can make the folder that a job works
// in, which is beside temp. Only its owner and mode count: the scripts that make it
// would fail without a word of whose mistake that is.
func checkWorkDir(temp string, as *state.User) error {
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
func makeFolders(grant tenant.Grant, settings tenant.Settings, as *state.User) error {
	for _, place := range []struct{ base, names string }{
		{settings.BuildsDir, grant.Folder()},
		{settings.BuildsDir, grant.Folder() + ".tmp"},
		{settings.CacheDir, grant.Folder()},
	} {
		if err := workdir.Make(place.base, place.names, as.UID, as.GID); err != nil {
			return fault.New(fault.Admin, err, "")
		}
	}
	return nil
}
