// Package config is the stage that tells GitLab Runner how to run the job.
package config

import (
	"context"
	"encoding/json"

	"rolecall/internal/admission"
	"rolecall/internal/backend"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

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
	// Describe returns what the runner is told of the place, of a Spec that has folders
	// only.
	Describe(s backend.Spec) (backend.Description, error)
}

// Parts are what the stage works with.
type Parts struct {
	Backends  []Backend             // the first runs all jobs; the others may have jobs left on this host
	Providers []policyfile.Provider // whose keys a policy file may have
}

// New returns the stage as a program.
func New(parts Parts) program.Program {
	return program.Program{
		Name: "config",
		Does: "tells GitLab Runner in which folders the job works, as one JSON object",
		Run:  func(c *program.Call) error { return run(c, parts) },
	}
}

// run chooses where the job works and where its state is kept, finishes what dead
// jobs left there, and writes one JSON object.
func run(c *program.Call, parts Parts) error {
	policy, err := c.Policy(parts.Providers...)
	if err != nil {
		return err
	}
	pinned, err := c.Pinned()
	if err != nil {
		return err
	}
	roots, spec := state.Roots(), backend.Spec{}
	if policy != nil {
		response, err := job.ReadResponse(c.Env.ResponseFile)
		if err != nil {
			return err
		}
		settings := policy.Settings()
		folder := folder(admission.Case{Policy: policy, Pinned: pinned, Response: response, Request: c.Env.Request, Read: idtoken.Parse})
		spec = backend.Spec{Job: response, Folder: folder, BuildsDir: settings.BuildsDir, CacheDir: settings.CacheDir}
		if settings.CredentialsDir != "" {
			roots = []string{settings.CredentialsDir}
		}
	}
	place, err := parts.Backends[0].Describe(spec)
	if err != nil {
		return err
	}
	root, err := state.Choose(roots)
	if err != nil {
		return err
	}
	if _, err := state.Sweep(context.Background(), root, backend.Reap(parts.Backends)); err != nil {
		c.Log.Warnf("what dead jobs left on this host cannot be removed: %v", err)
	}
	return write(c, place, root, policy)
}

// write tells the runner where the job works, and the later stages where its state is
// kept and what this one was started with.
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

// folder returns the folder of the tenant and trust class that the job claims to be
// of. That its token is signed is not checked here, so that the stage starts fast:
// prepare does, and refuses a job that works in a folder not its own. For a job that
// the policy refuses, and for one of no tenant, it is that of none.
func folder(c admission.Case) string {
	d, _ := admission.Decide(c) // beside an error is what the policy grants: prepare says what else is wrong
	return d.Grant.Folder()
}
