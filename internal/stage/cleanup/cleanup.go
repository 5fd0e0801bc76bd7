// Package cleanup is the stage that removes what the other stages made.
package cleanup

import (
	"context"
	"encoding/json"
	"errors"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/revocation"
	"rolecall/internal/state"
	"rolecall/internal/tenant/policyfile"
)

// removeTime bounds how long the stage works: a job may have made very many folders.
const removeTime = 2 * time.Minute

// roots returns the folders that may hold the state of the job. If the config stage
// has not said which folder it chose, the credentials_dir of the policy file is one of
// them; an error in the policy file is only a warning.
func roots(c *program.Call, parts Parts) []string {
	roots, chosen := state.Roots(), c.Env.Store
	if chosen == "" {
		chosen = credentialsDir(c, parts)
	}
	if chosen != "" && !slices.Contains(roots, chosen) {
		roots = append(roots, chosen)
	}
	return roots
}

// credentialsDir returns the credentials_dir of the policy file, empty if there is none.
func credentialsDir(c *program.Call, parts Parts) string {
	policy, err := c.Policy(parts.Providers...)
	if err != nil {
		c.Warn(err)
	}
	if policy == nil {
		return ""
	}
	return policy.Settings().CredentialsDir
}

// Parts are the backends and providers that the stage works with.
type Parts struct {
	Backends  []backend.Reaper      // of all jobs that this host may have
	Providers []policyfile.Provider // their keys may be in a policy file
	Searchers []Searcher            // the record of a job names the one whose scripts may have left files
}

// name is the name of the stage, and of its program.
const name = "cleanup"

// New returns the stage as a program. It runs even if its flags or its environment are
// invalid: no later stage would remove what it leaves.
func New(parts Parts) program.Program {
	return program.Program{
		Name:   name,
		Does:   "kills what is left of the job, and removes its credentials and folders",
		Run:    func(c *program.Call) error { return run(c, parts) },
		Always: true, Plain: true,
	}
}

// run kills the processes of the job, and removes its env file and folders. It looks in
// every folder that may hold them, since the config stage may have failed before it
// named one. If the job has left nothing, run succeeds; an error means that something
// is left.
func run(c *program.Call, parts Parts) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE) // no later stage finishes the work
	key, err := job.ReadKey(c.Env.ResponseFile)
	if err != nil {
		c.Log.Warnf("no credentials are removed, since the job is unknown: %v", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeTime)
	defer cancel()
	var count counts
	all := roots(c, parts)
	defer func() { c.Warn(count.update(all, c.Suspensions())) }()
	for _, root := range all {
		revoke := sync.OnceFunc(func() { c.Warn(revocation.Ask(ctx, root, key, c.Env.Service)) })
		reap := then(backend.Reap(parts.Backends), revoke)
		ended, finishErr := state.Finish(ctx, root, key, newSearch(c, parts, root, key).after(reap), func(e state.Ended, err error) {
			c.For(e.Tenant)
			c.Warn(e.Tell(audit.Ended, name, left(err)))
		})
		revoke() // what must be revoked outlives the folder of its job
		count.of(ended)
		err = errors.Join(err, finishErr)
	}
	return left(err)
}

// then returns a function that reaps the job and then, whether its processes are dead or not, calls
// do.
func then(reap state.Reap, do func()) state.Reap {
	return func(ctx context.Context, name string, data json.RawMessage, id job.ID) error {
		defer do()
		return reap(ctx, name, data, id)
	}
}

// left returns the error that something of the job is left, or nil if err is nil.
func left(err error) error {
	if err == nil {
		return nil
	}
	return fault.New(fault.LeftBehind, err, "remove what is left on the runner's host")
}
