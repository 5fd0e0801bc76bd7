// Package host is the backend that runs scripts on this host: with bash, as a unix user,
// and in a cgroup if the host allows one.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"rolecall/internal/backend"
	"rolecall/internal/cgroup"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// Name is the name of the backend.
const Name = "host"

// Backend runs scripts on this host. One Backend serves one job and at most one script.
type Backend struct {
	parent func() string          // returns the path of the parent of jobs' cgroups
	group  func() (*group, error) // returns the job's cgroup
}

// New returns a backend that has no cgroup for a job yet.
func New() *Backend {
	return &Backend{sync.OnceValue(findParent), func() (*group, error) { return nil, nil }}
}

// Name returns Name.
func (*Backend) Name() string { return Name }

// Takes reports whether the backend runs a job: one that has no image.
func (*Backend) Takes(s backend.Spec) bool { return s.Containers == nil }

// Build makes nothing.
func (*Backend) Build(context.Context, json.RawMessage, job.ID, backend.Order) error { return nil }

// Describe returns what the config stage tells the runner. Jobs of one tenant and trust
// class share a folder. The runner gives each job that runs at the same time a subfolder.
func (*Backend) Describe(s backend.Spec) (backend.Description, error) {
	return backend.Description{
		Shell: "bash", Shared: true, BuildsDir: below(s.BuildsDir, s.Folder), CacheDir: below(s.CacheDir, s.Folder),
	}, nil
}

// below returns the folder in dir, or an empty path if dir is empty.
func below(dir, folder string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, folder)
}

// Reap kills the processes in the job's cgroup, and removes the cgroup. It takes at most
// ten seconds. Where the data cannot be read, only an admin can tell what is left. If the
// record names no cgroup, there is nothing to do: run has killed the processes that it could
// find.
func (*Backend) Reap(ctx context.Context, data json.RawMessage, id job.ID) error {
	p, err := parse(data)
	if err != nil {
		return fault.New(fault.LeftBehind, err, "kill what is left of the job on the runner's host, then remove its folder, which is named before this")
	}
	if p.Cgroup == "" {
		return nil
	}
	return cgroup.Reap(ctx, p.Cgroup, p.group(id))
}

// place is where a job runs, as the record has it.
type place struct {
	User   *user          `json:"user,omitempty"`    // nil: the driver's user
	Login  *user          `json:"login,omitempty"`   // of the driver's user, if it runs scripts and the host knows it
	AsRoot bool           `json:"as_root,omitempty"` // the admin lets the job run as root if the driver is root
	Cgroup string         `json:"cgroup,omitempty"`  // path of the parent of the job's cgroup; empty: no cgroup
	Mark   string         `json:"mark,omitempty"`    // in the name of the job's cgroup
	Temp   string         `json:"temp,omitempty"`    // folder for temporary files of another user's job
	Home   string         `json:"home,omitempty"`    // HOME of the tenant and trust class; empty: as the user has it
	Source string         `json:"source,omitempty"`  // folder that Home was a copy of; empty: none
	Limits backend.Limits `json:"limits,omitzero"`
}

// group returns the name of the job's cgroup.
func (p place) group(id job.ID) cgroup.Name { return cgroup.NameOf(int64(id), p.Mark) }

// user is the unix user that the scripts of a job run as.
type user struct {
	Name   string   `json:"name"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
	Home   string   `json:"home"`
	Shell  string   `json:"shell"`
}

// parse reads the data of a record.
func parse(data json.RawMessage) (place, error) {
	var p place
	if err := json.Unmarshal(data, &p); err != nil {
		return place{}, fmt.Errorf("the place of the job cannot be read from its record: %w", err)
	}
	return p, nil
}

// open is parse for callers that start a process. If the process would run as root and
// the admin has not allowed that, the error is a fault.Admin.
func open(data json.RawMessage) (place, error) {
	p, err := parse(data)
	if err == nil && p.User == nil && !p.AsRoot && os.Geteuid() == 0 {
		err = fault.New(fault.RootScripts, errors.New("the record of the job names no unix user, and its scripts would be root's"),
			"start the job again: another version of rolecall has prepared it")
	}
	return p, err
}
