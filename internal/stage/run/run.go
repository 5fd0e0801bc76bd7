// Package run is the stage that runs a script of the job.
package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"sync"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/state"
)

// grace is how long a script may take to end after SIGTERM. With the work that follows,
// run ends within 10 s, before a runner that shuts down stops waiting for it.
const grace = 8 * time.Second

// errEnded is the error of a stage whose job was cleaned up meanwhile. Its script was killed
// or did not start.
var errEnded error = fault.New(fault.Interrupted, errors.New("the job was cleaned up while this stage ran"), "")

// Backend is a place that scripts run in. Data is the Data of the job's record.
type Backend interface {
	backend.Reaper
	// Begin starts to make the place that a script runs in. The function end removes the
	// place again, and returns an error if something stays.
	Begin(data json.RawMessage, id job.ID) (end func() error, err error)
	// Environ returns the environment that scripts start with, without credentials.
	// Service is the environment of the runner's service.
	Environ(data json.RawMessage, service []string) ([]string, error)
	// Run runs a script. An error is not the script's: the script did not run, or its
	// output was lost.
	Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error)
	// Tree returns the path on this host of the work tree that scripts see at project.
	Tree(data json.RawMessage, project string) (string, error)
	// Visible returns the path at which scripts see a file of this host.
	Visible(data json.RawMessage, path string) string
	// Start starts cmd, a program of the driver, with the rights of a script and no others.
	// Begin must have been called. Cmd must have ended before Run is called, or start while
	// Run runs, which then kills it at the end, and may have reaped it before.
	Start(data json.RawMessage, cmd *exec.Cmd) error
	// Network calls do in a thread that is in the network of scripts.
	Network(data json.RawMessage, do func() error) error
	// Users returns the users whose processes scripts may have.
	Users(data json.RawMessage) ([]backend.Users, error)
	// Limits returns the limits of the job's processes. A program that is started by Start
	// sets them itself, before it touches a file of the job.
	Limits(data json.RawMessage) (backend.Limits, error)
}

// Provider is a provider of credentials, limited to what scripts see of it.
type Provider interface {
	// Hides returns the names of variables that scripts must get neither from the
	// service's environment nor from startup files of a shell; A_* is all that begin with
	// A_.
	Hides() []string
	// Guards returns variables, as NAME=value, that keep tools from using the credentials
	// of the host.
	Guards() []string
	// Settings returns the names of the variables of the service's environment that say how to
	// reach the provider's servers.
	Settings() []string
	// ToolFiles returns the files in which the provider's tools keep credentials.
	ToolFiles() []creds.ToolFile
	// Name returns the provider's name, such as aws.
	Name() string
	// Tells returns who a script is with a credential that has those facts, in words on one
	// line, and what its author must know about that.
	Tells(facts creds.Facts) (who string, notes []string)
}

// Parts are the backends and providers that the stage works with.
type Parts struct {
	Backends  []Backend // the record of a job names the one that runs it
	Providers []Provider
	Stores    []Store // of what jobs hand over
}

// name is the name of the stage, and of its program.
const name = "run"

// New returns the stage as a program.
func New(parts Parts) program.Program {
	return program.Program{
		Name: name,
		Does: "runs a script of the job: the runner appends its path and its stage's name",
		Run:  parts.run,
	}
}

// run runs the script that the runner names. A script of the user gets the job's
// credentials. If the runner dies meanwhile, run ends the job, since the runner starts
// no later stage.
func (p Parts) run(c *program.Call) error {
	if err := check(c); err != nil {
		return err
	}
	watching := c.Watch()
	key, err := job.ReadKey(c.Env.ResponseFile)
	if err != nil {
		return err
	}
	folder, err := state.Find(c.Env.Store, key)
	if err != nil {
		return fmt.Errorf("the state of job %s cannot be read: %w", key.ID, err)
	}
	defer folder.Close()
	c.For(folder.Tenant())
	place, err := backend.Named(p.Backends, folder.Record().Backend)
	if err != nil {
		return err
	}
	r := running{c, p, folder, key, place, watching}
	defer r.tellMasked()
	result, err := r.run()
	cause := context.Cause(watching())
	if r.orphaned(cause) {
		return errors.Join(cause, err, r.finish(cause))
	}
	if folder.Over() {
		return errors.Join(errEnded, err)
	}
	if err != nil {
		return err
	}
	if err := r.conclude(result, cause); err != nil || cause != nil {
		return err
	}
	return r.handOver()
}

// orphaned reports whether the runner has died. A runner that has asked the stage to stop
// may have died since: it waits no longer than its shutdown_timeout.
func (r running) orphaned(cause error) bool {
	return errors.Is(cause, program.ErrOrphaned) || cause != nil && !r.folder.Record().Lease.Alive()
}

// conclude turns the result of a script into the error that the stage ends with. Cause
// is why the stage was stopped; nil: it was not.
func (r running) conclude(result backend.Result, cause error) error {
	switch {
	case result.Startup != nil && cause == nil:
		return result.Startup
	case result.Startup != nil: // a profile that takes too long, of which a cancelled job says nothing otherwise
		r.Log.Warnf("the stage was stopped while a startup file of the login shell ran: %v", result.Startup)
	}
	if len(result.Left) > 0 {
		r.Log.Warnf("processes of the script that could not be killed: %v", result.Left)
	}
	if result.Code != 0 {
		return program.ScriptError(result.Code)
	}
	return nil
}

// check checks the arguments and flags of the stage, and clears the exit code of an
// earlier stage.
func check(c *program.Call) error {
	if err := clearExitCode(c.Env.ExitCodeFile); err != nil {
		return err
	}
	if len(c.Args) != 2 {
		return fault.New(fault.BadFlags, fmt.Errorf("run has %d arguments, want the script and the stage that the runner appends", len(c.Args)),
			"leave only flags in run_args of the runner's config.toml")
	}
	return c.CheckTold()
}

// clearExitCode removes the file at path, which an earlier stage may have written. The
// runner uses one file for the whole job and never clears it.
func clearExitCode(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// running is one run of a script, with everything that it needs.
type running struct {
	*program.Call
	parts    Parts
	folder   *state.Folder
	key      job.Key
	place    Backend
	watching func() context.Context // waits until signals are watched
}

// run makes the place of the script, runs the script in it, and removes the place.
func (r running) run() (backend.Result, error) {
	if err := r.refuse(); err != nil {
		return backend.Result{}, err
	}
	data := r.folder.Record().Data
	end, err := r.place.Begin(data, r.key.ID)
	if err != nil {
		return backend.Result{}, err
	}
	defer func() {
		if err := end(); err != nil {
			r.Warn(err)
		}
	}()
	return r.runIn(data)
}

// runIn runs the script in its place: with masks and credentials, and only after the
// gate has searched what would be uploaded. The place is still being made meanwhile.
func (r running) runIn(data json.RawMessage) (backend.Result, error) {
	clean, err := r.place.Environ(data, r.parts.visible(r.Env.Service))
	if err != nil {
		return backend.Result{}, err
	}
	given, err := r.openSecrets()
	if err != nil {
		return backend.Result{}, err
	}
	if err := r.checkUpload(clean, given); err != nil {
		return backend.Result{}, err
	}
	r.readyTree()
	r.announce(given.set)
	s, err := r.open(&given)
	if err != nil {
		return backend.Result{}, err
	}
	is := r.parts.identity(job.StageName(r.Args[1]), given, r.rules())
	if given.envFile != "" {
		is.files = r.folder.Files(given.set)
		is.set = append(is.set, r.outFiles(r.rules().own)...)
	}
	end := sync.OnceFunc(s.done)
	defer end() // of a script that did not run
	return r.execute(clean, is, end)
}
