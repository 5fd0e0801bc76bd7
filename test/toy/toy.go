// Package toy is a backend that starts no process: it writes scripts to standard output.
package toy

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"

	"rolecall/internal/backend"
	"rolecall/internal/job"
)

// Backend is the toy. What is nil or empty does what a backend without faults does.
type Backend struct {
	Code   int          // with which scripts end
	Broken error        // what Run returns
	Stuck  error        // what Reap returns
	Ended  func() error // called at the end of what Begin begins
	Reaped []string     // each job that was reaped, with its data
}

// Data is what the toy keeps in records.
const Data = `{"toy":true}`

// Name returns "toy".
func (*Backend) Name() string { return "toy" }

// Takes takes every job.
func (*Backend) Takes(backend.Spec) bool { return true }

// Build builds nothing.
func (*Backend) Build(context.Context, json.RawMessage, job.ID, backend.Order) error { return nil }

// Ready has nothing to begin.
func (*Backend) Ready() {}

// Describe names the folders of the tenant, and a shell that is none.
func (*Backend) Describe(s backend.Spec) (backend.Description, error) {
	return backend.Description{Shell: "toy", BuildsDir: s.BuildsDir + "/" + s.Folder, CacheDir: s.CacheDir + "/" + s.Folder}, nil
}

// Place needs nothing of a job.
func (*Backend) Place(context.Context, backend.Spec) (backend.State, *backend.Owner, error) {
	return backend.State{Backend: "toy", Data: json.RawMessage(Data)}, nil, nil
}

// Furnish has no files.
func (*Backend) Furnish(json.RawMessage, string, []backend.ToolFile, []string) error { return nil }

// Begin begins nothing, of jobs of the toy only.
func (b *Backend) Begin(data json.RawMessage, _ job.ID) (end func() error, err error) {
	if string(data) != Data {
		return nil, errors.New("the data are not the toy's: " + string(data))
	}
	if b.Ended == nil {
		b.Ended = func() error { return nil }
	}
	return b.Ended, nil
}

// Environ returns the service's environment.
func (*Backend) Environ(_ json.RawMessage, service []string) ([]string, error) { return service, nil }

// Run writes the environment and the script to standard output.
func (b *Backend) Run(_ context.Context, _ json.RawMessage, s backend.Script) (backend.Result, error) {
	text, err := os.ReadFile(s.Path)
	_, _ = io.WriteString(s.Stdout, strings.Join(append(s.Env, string(text)), "\n")) // whoever reads it sees what is missing
	return backend.Result{Code: b.Code}, errors.Join(err, b.Broken)
}

// Tree says that the toy has no work tree that this host can see.
func (*Backend) Tree(json.RawMessage, string) (string, error) {
	return "", errors.New("the toy has no work tree")
}

// Visible returns where scripts see what lies at path: below /toy.
func (*Backend) Visible(_ json.RawMessage, path string) string { return "/toy" + path }

// Start starts cmd as it is.
func (*Backend) Start(_ json.RawMessage, cmd *exec.Cmd) error { return cmd.Start() }

// Network is that of this host.
func (*Backend) Network(_ json.RawMessage, do func() error) error { return do() }

// Users are none.
func (*Backend) Users(json.RawMessage) ([]backend.Users, error) { return nil, nil }

// Limits are none.
func (*Backend) Limits(json.RawMessage) (backend.Limits, error) { return backend.Limits{}, nil }

// Reap notes the job.
func (b *Backend) Reap(_ context.Context, data json.RawMessage, id job.ID) error {
	b.Reaped = append(b.Reaped, id.String()+" "+string(data))
	return b.Stuck
}
