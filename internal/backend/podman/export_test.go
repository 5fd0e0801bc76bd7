package podman

import (
	"context"
	"encoding/json"
	"slices"

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

// DirOf returns the folder of a job's containers.
func DirOf(data json.RawMessage) string {
	p, _ := parse(data)
	return p.Dir
}

// CreateArgs returns the arguments of the container of a job.
func CreateArgs(limits backend.Limits) []string {
	e := engine{place: place{Slot: "/b/slot", Own: "/b/own", Network: "host"}}
	return slices.Concat(e.common(limits), forScripts(), network(e.place, nil), e.mounts("/run/secret"))
}

// Judge says how a script ended whose job has its own folder at own, if podman ended with code.
func Judge(own string, code int) (backend.Result, error) {
	return engine{place: place{Own: own}}.judge(context.Background(), script.Result{Code: code})
}
