// Package host is the backend that runs scripts on this host: with bash, as a unix
// user, in a cgroup where there is one.
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

// Backend runs scripts on this host. It is of one job and one script.
type Backend struct {
	parent func() string          // path of the cgroup that those of jobs lie in
	group  func() (*group, error) // that of the job
}

// New returns the backend.
func New() *Backend {
	return &Backend{sync.OnceValue(findParent), func() (*group, error) { return nil, nil }}
}

// Name returns Name.
func (*Backend) Name() string { return Name }

// Describe returns what the runner is told. Jobs of one tenant and trust class have
// one folder, in which the runner gives each of those that run at once another.
func (*Backend) Describe(s backend.Spec) (backend.Description, error) {
	return backend.Description{
		Shell: "bash", Shared: true, BuildsDir: below(s.BuildsDir, s.Folder), CacheDir: below(s.CacheDir, s.Folder),
	}, nil
}

// below returns the folder in dir, or an empty path where there is no dir.
func below(dir, folder string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, folder)
}

// Reap kills the processes of a job in its cgroup, and removes that. It takes at most
// ten seconds. Where the record names no cgroup there is nothing to do: run has
// killed what it could find.
func (*Backend) Reap(_ context.Context, data json.RawMessage, id job.ID) error {
	p, err := parse(data)
	if err != nil || p.Cgroup == "" {
		return err
	}
	return cgroup.Reap(p.Cgroup, int64(id))
}

// place is where a job runs, as the record has it.
type place struct {
	User   *user          `json:"user,omitempty"`    // nil: the driver's own
	AsRoot bool           `json:"as_root,omitempty"` // the admin lets the job run as root where the driver is root
	Cgroup string         `json:"cgroup,omitempty"`  // path of the cgroup that the job's own is in; empty: none
	Temp   string         `json:"temp,omitempty"`    // folder for temporary files of another user's job
	Limits backend.Limits `json:"limits,omitzero"`
}

// user is as whom the scripts of a job run.
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
		return place{}, fmt.Errorf("where the job runs cannot be read from its record: %w", err)
	}
	return p, nil
}

// open is parse, for all that runs something: a fault.Admin where a driver that is
// root would run it as root, which nobody has asked for.
func open(data json.RawMessage) (place, error) {
	p, err := parse(data)
	if err == nil && p.User == nil && !p.AsRoot && os.Geteuid() == 0 {
		err = fault.New(fault.Admin, errors.New("the record of the job names no unix user, and its scripts would be root's"),
			"let the runner start the job anew: another version of rolecall has prepared it")
	}
	return p, err
}
