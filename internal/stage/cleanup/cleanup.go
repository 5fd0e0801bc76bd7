// Package cleanup is the stage that removes what the others made.
package cleanup

import (
	"context"
	"errors"
	"os/signal"
	"slices"
	"syscall"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/state"
	"rolecall/internal/tenant/policyfile"
)

// roots returns the folders that may hold the state of the job. Without a word of
// the config stage that of a policy file is one too; what is wrong with that file
// is no reason to leave anything.
func roots(c *program.Call, parts Parts) []string {
	roots, chosen := state.Roots(), c.Env.Store
	if chosen == "" {
		policy, err := c.Policy(parts.Providers...)
		if err != nil {
			c.Log.Warn(err)
		}
		if policy != nil {
			chosen = policy.Settings().CredentialsDir
		}
	}
	if chosen != "" && !slices.Contains(roots, chosen) {
		roots = append(roots, chosen)
	}
	return roots
}

// Parts are what the stage works with.
type Parts struct {
	Backends  []backend.Reaper      // of all jobs that there may be on this host
	Providers []policyfile.Provider // whose keys a policy file may have
}

// New returns the stage as a program. It runs whatever is wrong with its flags and
// environment, since no later stage removes what it leaves.
func New(parts Parts) program.Program {
	return program.Program{
		Name:   "cleanup",
		Does:   "kills what is left of the job, and removes its credentials and folders",
		Run:    func(c *program.Call) error { return run(c, parts) },
		Always: true,
	}
}

// run ends what is left of the job, and removes its env file and folders, wherever
// they may be: the config stage may have failed before it could say where. It needs
// the job's id only, and finding nothing is success. An error means that something is
// left.
func run(c *program.Call, parts Parts) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE) // nobody comes after it
	key, err := job.ReadKey(c.Env.ResponseFile)
	if err != nil {
		c.Log.Warnf("whose credentials to remove is not known, none are: %v", err)
		return nil
	}
	for _, root := range roots(c, parts) {
		err = errors.Join(err, state.Finish(context.Background(), root, key, backend.Reap(parts.Backends)))
	}
	if err != nil {
		return fault.New(fault.Admin, err, "look at it on the runner's host")
	}
	return nil
}
