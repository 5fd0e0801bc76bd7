package podman

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/job"
	"rolecall/internal/script"
)

// Import puts an image into the store of a placed job. Args are those of podman import.
func (b *Backend) Import(ctx context.Context, data json.RawMessage, id job.ID, args ...string) error {
	e, err := b.newEngine(data)
	if err != nil {
		return err
	}
	end, err := e.begin(id)
	if err != nil {
		return err
	}
	defer end() //nolint:errcheck // a test
	_, err = e.do(ctx, e.place.onStore(append([]string{"import", "--quiet"}, args...)...))
	return err
}

// Within bounds how long podman may take to create a container, and to start it. 0 changes
// nothing.
func (b *Backend) Within(d time.Duration) *Backend {
	b.startTime = cmp.Or(d, b.startTime)
	return b
}

// Ask returns what podman says of the containers of a job. It is in no cgroup of the job.
func (b *Backend) Ask(ctx context.Context, data json.RawMessage, args ...string) (string, error) {
	e, err := b.newEngine(data)
	if err != nil {
		return "", err
	}
	return e.outside().do(ctx, e.place.onJob(rootDir, args...))
}

// Tool runs a program as the root of the user namespace of a job.
func (b *Backend) Tool(ctx context.Context, data json.RawMessage, args ...string) (string, error) {
	e, err := b.newEngine(data)
	if err != nil {
		return "", err
	}
	return e.outside().tool(ctx, args)
}

// DirOf returns the folder of a job's containers.
func DirOf(data json.RawMessage) string {
	p, _ := parse(data)
	return p.Dir
}

// CreateArgs returns the arguments of the container of a job.
func CreateArgs(limits backend.Limits) []string {
	e := engine{place: place{Slot: "/b/slot", Own: "/b/own", Network: "host"}}
	return slices.Concat(e.common(limits), forScripts(), network(e.place, nil, false), e.mounts(backend.Order{Secrets: "/run/secret"}))
}

// Judge says how a script ended that a shell has read, if podman ended with code.
func Judge(code int) (backend.Result, error) {
	return engine{}.judge(context.Background(), script.Result{Code: code}, true, time.Now())
}
