// Package config is the stage that tells GitLab Runner how to run the job.
package config

import (
	"encoding/json"
	"path/filepath"

	"rolecall/internal/admission"
	"rolecall/internal/cgroup"
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

// Parts are what the stage works with.
type Parts struct {
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
// jobs left there, and writes one JSON object. With builds_dir_is_shared the runner gives each of the jobs that
// run at once a directory of its own.
func run(c *program.Call, parts Parts) error {
	out := output{Driver: driver{"rolecall", version.Version}, BuildsDirIsShared: true, Shell: "bash"}
	policy, err := c.Policy(parts.Providers...)
	if err != nil {
		return err
	}
	pinned, err := c.Pinned()
	if err != nil {
		return err
	}
	roots := state.Roots()
	if policy != nil {
		response, err := job.ReadResponse(c.Env.ResponseFile)
		if err != nil {
			return err
		}
		settings := policy.Settings()
		folder := folder(admission.Case{Policy: policy, Pinned: pinned, Response: response, Request: c.Env.Request, Read: idtoken.Parse})
		out.BuildsDir, out.CacheDir = below(settings.BuildsDir, folder), below(settings.CacheDir, folder)
		if settings.CredentialsDir != "" {
			roots = []string{settings.CredentialsDir}
		}
	}
	root, err := state.Choose(roots)
	if err != nil {
		return err
	}
	if _, err := state.Sweep(root, reap); err != nil {
		c.Log.Warnf("what dead jobs left on this host cannot be removed: %v", err)
	}
	told, err := c.Tell(policy)
	if err != nil {
		return err
	}
	out.JobEnv = map[string]string{job.StoreVariable: root, job.ToldVariable: told}
	return json.NewEncoder(c.Stdout).Encode(out)
}

// reap kills the processes of a dead job. It is for state.Sweep.
func reap(parent string, id job.ID) error { return cgroup.Reap(parent, int64(id)) }

// folder returns the folder of the tenant and trust class that the job claims to be
// of. That its token is signed is not checked here, so that the stage starts fast:
// prepare does, and refuses a job that works in a folder not its own. For a job that
// will be refused there, and for one of no tenant, it is that of none.
func folder(c admission.Case) string {
	d, err := admission.Decide(c)
	if err != nil {
		return tenant.Grant{}.Folder()
	}
	return d.Grant.Folder()
}

// below returns the folder in dir, or an empty path where there is no dir.
func below(dir, folder string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, folder)
}
