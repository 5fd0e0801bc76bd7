// Package podman is the backend of jobs with an image: it runs the scripts of the user in a
// container, and all others on this host, as package host does.
//
// The container is in a user namespace that root makes: its root is the job's unix user on
// the host, and all its other ids are of a range that only this user has. So there is no
// setuid program, no /etc/subuid, and no daemon. podman itself runs inside, with an engine
// root of the job's own over a store of images of the tenant and trust class, and in the
// cgroup of the job. What ends the job kills that cgroup and removes the engine root; it
// does not ask podman.
//
// No secret is in an argument, an environment, a label or a file of podman: credentials come
// on the standard input of the script.
package podman

import (
	"encoding/json"
	"fmt"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/job"
	"rolecall/internal/script"
)

// Name is the name of the backend.
const Name = "podman"

// Backend runs scripts in containers of podman. One Backend serves one job and at most one
// script. What it does not do itself, the host does.
type Backend struct {
	*host.Backend

	startTime time.Duration // bounds how long podman may take to create a container, and to start it
}

// New returns a backend over that of this host.
func New(on *host.Backend) *Backend { return &Backend{on, startTime} }

// Name returns Name.
func (*Backend) Name() string { return Name }

// Takes reports whether the backend runs a job: one that has an image.
func (*Backend) Takes(s backend.Spec) bool { return s.Containers != nil }

// place is where a job runs. The record has it beside the place of package host.
type place struct {
	Dir     string           `json:"dir"`   // of the job's containers; the driver's user's
	Store   string           `json:"store"` // of images
	IDs     script.Namespace `json:"ids"`
	Network string           `json:"network"`
	Root    string           `json:"root"` // folder of the records of all jobs of the service
	Slot    string           `json:"slot"` // folder of the work tree, and of the folder beside it
	Own     string           `json:"own"`  // the job's own folder
}

// shared returns the folders that the container shares with the host.
func (p place) shared() []string { return []string{p.Slot, p.Own} }

// wire is the form of a place in the record. The fields of package host are beside it.
type wire struct {
	Podman *place `json:"podman"`
}

// parse reads the data of a record.
func parse(data json.RawMessage) (place, error) {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil || w.Podman == nil {
		return place{}, fmt.Errorf("the container of the job cannot be read from its record: %w", err)
	}
	return *w.Podman, nil
}

// extend returns the data of package host with a place.
func extend(data json.RawMessage, p place) (json.RawMessage, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return nil, err
	}
	own, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	fields["podman"] = own
	return json.Marshal(fields)
}

// inContainer reports whether the script of a stage runs in the container.
func inContainer(stage string) bool { return job.StageName(stage).IsUserScript() }
