// Package config is the stage that tells GitLab Runner how to run the job.
package config

import (
	"context"
	"encoding/json"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// sweepTime bounds how long a job waits for what dead jobs of others have left. The
// program sweep removes the rest.
const sweepTime = time.Second

// output is what the runner reads from the stage's standard output.
//
// https://docs.gitlab.com/runner/executors/custom/#config
type output struct {
	Driver            driver            `json:"driver"`
	BuildsDir         string            `json:"builds_dir,omitempty"`
	CacheDir          string            `json:"cache_dir,omitempty"`
	BuildsDirIsShared bool              `json:"builds_dir_is_shared"`
	Shell             string            `json:"shell"`
	JobEnv            map[string]string `json:"job_env"`
}

// driver names the driver in the job log.
type driver struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Backend is a place that scripts can run in.
type Backend interface {
	backend.Reaper
	// Describe returns what the runner needs to know about the place. Of the Spec, only
	// Job and the folders are set.
	Describe(s backend.Spec) (backend.Description, error)
}

// Parts are the backends and providers that the stage works with.
type Parts struct {
	Backends  []Backend             // the first runs all jobs; dead jobs of the others may be on this host
	Tidiers   []backend.Tidier      // of the folder of image stores
	Providers []policyfile.Provider // their keys may be in a policy file
}

// name is the name of the stage, and of its program.
const name = "config"

// New returns the stage as a program.
func New(parts Parts) program.Program {
	return program.Program{
		Name: name,
		Does: "tells GitLab Runner in which folders the job works, as one JSON object",
		Run:  func(c *program.Call) error { return run(c, parts) },
	}
}

// run chooses the folders that the job works in and the folder of its state, removes
// what dead jobs left there, and writes one JSON object.
func run(c *program.Call, parts Parts) error {
	policy, err := c.Policy(parts.Providers...)
	if err != nil {
		return err
	}
	spec, err := newSpec(c, policy)
	if err != nil {
		return err
	}
	place, err := parts.Backends[0].Describe(spec)
	if err != nil {
		return err
	}
	root, err := state.Choose(roots(policy), func(err error) { c.Log.Warnf("a folder for the state of jobs is not used: %v", err) })
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), sweepTime)
	defer cancel()
	_, err = state.Sweep(ctx, root, backend.Reap(parts.Backends), func(dead state.Ended, _ error) {
		c.Warn(dead.Tell(audit.Removed, name, nil))
	})
	if err != nil {
		c.Log.Warnf("the state of dead jobs on this host cannot be removed: %v", err)
	}
	tidy(ctx, c, parts, policy)
	return write(c, place, root, policy)
}

// tidy removes what jobs have left in the folder of image stores.
func tidy(ctx context.Context, c *program.Call, parts Parts, policy *tenant.Policy) {
	if policy == nil || policy.Settings().Containers.Engine.ImagesDir == "" {
		return
	}
	for _, t := range parts.Tidiers {
		if _, err := t.Tidy(ctx, policy.Settings().Containers.Engine.ImagesDir, state.DataOf); err != nil {
			c.Log.Warnf("what containers of dead jobs left on this host cannot be removed: %v", err)
		}
	}
}

// newSpec returns the folders that the job works in. Without a policy file, the runner's
// config.toml names them.
func newSpec(c *program.Call, policy *tenant.Policy) (backend.Spec, error) {
	pinned, err := c.Pinned()
	if err != nil || policy == nil {
		return backend.Spec{}, err
	}
	response, err := job.ReadResponse(c.Env.ResponseFile)
	if err != nil {
		return backend.Spec{}, err
	}
	settings := policy.Settings()
	folder := folder(admission.Case{Policy: policy, Pinned: pinned, Response: response, Request: c.Env.Request, Read: idtoken.Parse})
	return backend.Spec{Job: response, Folder: folder, BuildsDir: settings.BuildsDir, CacheDir: settings.CacheDir}, nil
}

// roots returns the folders that the state of jobs may be kept in.
func roots(policy *tenant.Policy) []string {
	if policy != nil && policy.Settings().CredentialsDir != "" {
		return []string{policy.Settings().CredentialsDir}
	}
	return state.Roots()
}

// write tells the runner which folders the job works in. It tells the later stages
// which folder has the job's state and which flags this stage was started with.
func write(c *program.Call, place backend.Description, root string, policy *tenant.Policy) error {
	told, err := c.Tell(policy)
	if err != nil {
		return err
	}
	return json.NewEncoder(c.Stdout).Encode(output{
		Driver:            driver{"rolecall", version.Version},
		BuildsDir:         place.BuildsDir,
		CacheDir:          place.CacheDir,
		BuildsDirIsShared: place.Shared,
		Shell:             place.Shell,
		JobEnv:            map[string]string{job.StoreVariable: root, job.ToldVariable: told},
	})
}

// folder returns the folder of the tenant and trust class that the job claims. To start
// fast, this stage does not check the signature of the ID token. The prepare stage
// checks it, and refuses a job that works in another tenant's folder. A job without a
// tenant, or one that the policy refuses, gets the folder of jobs without a tenant.
func folder(c admission.Case) string {
	d, _ := admission.Decide(c) // prepare decides again, and reports the error
	return d.Grant.Folder()
}
