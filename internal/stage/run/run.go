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
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/state"
)

// grace is how long a script may take to end after SIGTERM. With what follows,
// run is gone within 10 s, before a runner that shuts down gives up on it.
const grace = 8 * time.Second

// Backend is a place that scripts run in. Data are those of the job's record.
type Backend interface {
	backend.Reaper
	// Begin begins to make what a script runs in. The function that it returns removes
	// that again; its error says that this stays.
	Begin(data json.RawMessage, id job.ID) (end func() error, err error)
	// Environ returns the environment that scripts start with, before credentials, for a
	// service with that one.
	Environ(data json.RawMessage, service []string) ([]string, error)
	// Run runs a script. An error is not the script's: it did not run, or its output
	// was lost.
	Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error)
	// Tree returns where this host sees the work tree that scripts see at project.
	Tree(data json.RawMessage, project string) (string, error)
	// Visible returns where scripts see what lies at a path of this host.
	Visible(data json.RawMessage, path string) string
	// Command lets cmd, a program of this host, have the rights of the job and no more.
	Command(data json.RawMessage, cmd *exec.Cmd) error
}

// Provider is a provider of credentials, as far as it concerns what scripts see.
type Provider interface {
	// Hides reports whether scripts must not get a variable of that name from the
	// service's environment.
	Hides(variable string) bool
	// Guards returns variables, as NAME=value, that keep tools from other credentials
	// than the job's.
	Guards() []string
}

// Parts are what the stage works with.
type Parts struct {
	Backends  []Backend // the record of a job names the one that runs it
	Providers []Provider
}

// New returns the stage as a program.
func New(parts Parts) program.Program {
	return program.Program{
		Name: "run",
		Does: "runs a script of the job: the runner appends its path and its stage's name",
		Run:  parts.run,
	}
}

// run runs the script that the runner names, with the job's credentials where
// the script is the user's own. Where the runner dies meanwhile it ends the job,
// since nobody comes after it.
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
		return fmt.Errorf("state of job %s: %w", key.ID, err)
	}
	defer folder.Close()
	place, err := backend.Named(p.Backends, folder.Record().Backend)
	if err != nil {
		return err
	}
	result, err := running{c, p, folder, key, place, watching}.run()
	// A runner that has asked to stop may have died since: it waits for no longer than its shutdown_timeout.
	cause := context.Cause(watching())
	if errors.Is(cause, program.ErrOrphaned) || cause != nil && !folder.Record().Lease.Alive() {
		return errors.Join(cause, err, state.Finish(context.Background(), folder.Root(), key, backend.Reap(p.Backends)))
	}
	if err != nil {
		return err
	}
	if result.Startup != nil && cause == nil {
		return result.Startup
	}
	if len(result.Left) > 0 {
		c.Log.Warnf("processes of the script that could not be killed: %v", result.Left)
	}
	if result.Code != 0 {
		return program.ScriptError(result.Code)
	}
	return nil
}

// check checks what the stage is called with, and clears what an earlier one left.
func check(c *program.Call) error {
	if err := clearExitCode(c.Env.ExitCodeFile); err != nil {
		return err
	}
	if len(c.Args) != 2 {
		return fault.New(fault.Admin, fmt.Errorf("run has %d arguments, want the script and the stage that the runner appends", len(c.Args)),
			"leave only flags in run_args of the runner's config.toml")
	}
	return c.CheckTold()
}

// clearExitCode removes what an earlier stage left in the file at path: the
// runner has one for the whole job and never clears it.
func clearExitCode(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// running is a script of a job, and all that it takes to run it.
type running struct {
	*program.Call
	parts    Parts
	folder   *state.Folder
	key      job.Key
	place    Backend
	watching func() context.Context // waits until signals are watched for
}

// run runs the script: in what is made for it while the masks are.
func (r running) run() (backend.Result, error) {
	data := r.folder.Record().Data
	end, err := r.place.Begin(data, r.key.ID)
	if err != nil {
		return backend.Result{}, err
	}
	defer func() {
		if err := end(); err != nil {
			r.Log.Warn(err)
		}
	}()
	clean, err := r.place.Environ(data, r.parts.visible(r.Env.Service))
	if err != nil {
		return backend.Result{}, err
	}
	given, err := r.open()
	if err != nil {
		return backend.Result{}, err
	}
	if err := r.checkUpload(clean, given); err != nil {
		return backend.Result{}, err
	}
	return r.execute(r.parts.environ(job.StageName(r.Args[1]), clean, given))
}

// execute runs the script with that environment.
func (r running) execute(env []string) (backend.Result, error) {
	return r.place.Run(r.watching(), r.folder.Record().Data, backend.Script{
		Path: r.Args[0], Stage: r.Args[1], Env: env, Stdout: r.Stdout, Stderr: r.Stderr, Grace: grace,
	})
}
