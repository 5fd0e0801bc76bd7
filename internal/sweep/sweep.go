// Package sweep removes what dead jobs left: jobs whose stages or runner have died. A
// timer starts it, since a host may get no next job that would remove it.
package sweep

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken/kept"
	"rolecall/internal/journal"
	"rolecall/internal/metrics"
	"rolecall/internal/process"
	"rolecall/internal/program"
	"rolecall/internal/retention"
	"rolecall/internal/state"
	"rolecall/internal/suspension"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// Parts are the backends and providers that the program works with.
type Parts struct {
	Backends  []backend.Reaper      // of all jobs that this host may have
	Tidiers   []backend.Tidier      // of the folder of image stores
	Pruners   []Pruner              // of the stores in it
	Providers []policyfile.Provider // their keys may be in a policy file

	// Journal gets the errors too; the zero Log gets none. Main sets it.
	Journal journal.Log
}

// Main runs sweep as the main function of the process and exits.
func (p Parts) Main() {
	p.Journal = journal.OfHost()
	process.Exit(p.Serve)
}

// Pruner removes images from the stores of tenants.
type Pruner interface {
	// Prune removes what an order names and what broken pulls have left, and never what a job
	// uses. It returns what it has removed, also with an error.
	Prune(ctx context.Context, o retention.Order) ([]retention.Store, error)
}

// Places are the folders to sweep.
type Places struct {
	Roots    []string // folders that a stage of this user may keep the state of jobs in
	Log      string   // the audit log; empty: there is none
	Metrics  string   // the file of metrics; empty: there is none
	Images   string   // folder of image stores; empty: jobs have no containers
	MaxBytes uint64   // of each of the stores; 0: any size

	Suspensions suspension.File // which tenants are suspended
}

// Serve sweeps the folders that Find returns for args. Run writes its lines to out.
// With --version as the only argument it prints its version instead. Serve reads neither
// environ nor standard input. It returns the exit code: 0 if all that should be removed
// is gone, else 1, with the reason on stderr.
func (p Parts) Serve(args, _ []string, _ io.Reader, out, stderr io.Writer) (code int) {
	if slices.Equal(args, []string{"--version"}) {
		_, _ = fmt.Fprintf(out, "rolecall sweep %s\n", version.Long()) // there is nobody else to tell
		return 0
	}
	places, err := p.Find(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	failed := p.report(err, stderr)
	failed = p.report(p.Run(places, out), stderr) || failed
	p.warn(places.Count(), stderr)
	if failed {
		return 1
	}
	return 0
}

// Count brings the file of metrics up to date, if there is one.
func (p Places) Count() error {
	u := metrics.Update{Log: p.Log, File: p.Metrics, Full: true, Swept: time.Now()}
	if !u.Due() {
		return nil
	}
	var err error
	u.Suspended, err = p.Suspensions.Read()
	for _, root := range p.Roots {
		u.Sessions += state.Live(root)
		if at := kept.Fetched(root); at.After(u.Keys) {
			u.Keys = at
		}
	}
	return errors.Join(err, u.Do())
}

// warn reports an error that leaves nothing behind.
func (p Parts) warn(err error, stderr io.Writer) {
	if err == nil {
		return
	}
	_, _ = fmt.Fprintf(stderr, "rolecall: warning: %v\n", err) // there is nobody else to tell
	p.Journal.Write(journal.Line{Priority: journal.Warning, Message: err.Error()})
}

// report reports an error, and whether there is one.
func (p Parts) report(err error, stderr io.Writer) bool {
	if err == nil {
		return false
	}
	_, _ = fmt.Fprintf(stderr, "rolecall: error: %v\n", err) // there is nobody else to tell
	p.Journal.Write(journal.Line{Priority: journal.Error, Message: err.Error(), Code: string(fault.CodeOf(err))})
	return true
}

// Find returns the folders to sweep: those that are the same for all policy files, and those
// that the policy file of --config names. If the arguments are wrong, help gets a text. If
// the policy file is wrong, Find returns the other folders beside the error.
func (p Parts) Find(args []string, help io.Writer) (Places, error) {
	all, err := program.ForAllJobs("sweep", args, help, p.Providers...)
	places, policy := Places{Roots: all.Roots, Suspensions: all.Suspensions}, all.Policy
	if policy == nil {
		return places, err
	}
	places.Log, places.Metrics = policy.Settings().AuditLog, policy.Settings().MetricsFile
	engine := policy.Settings().Containers
	places.Images, places.MaxBytes = engine.Engine.ImagesDir, engine.ImagesMaxBytes
	return places, err
}

// Run sweeps the places, and writes a line to out for each job that it has removed. An
// error names what is left, as a fault.LeftBehind, or what could not be written.
func (p Parts) Run(places Places, out io.Writer) error {
	var problems error
	for _, root := range places.Roots {
		problems = errors.Join(problems, p.sweep(root, out))
	}
	if places.Images == "" {
		return problems
	}
	for _, t := range p.Tidiers {
		problems = errors.Join(problems, tidy(t, places.Images, out))
	}
	for _, one := range p.Pruners {
		problems = errors.Join(problems, prune(one, places, out))
	}
	return problems
}

// tidy removes what jobs have left in a folder of image stores.
func tidy(t backend.Tidier, images string, out io.Writer) error {
	removed, err := t.Tidy(context.Background(), images, state.DataOf)
	if err != nil {
		err = fault.New(fault.LeftBehind, err, "")
	}
	for _, what := range removed {
		_, writeErr := fmt.Fprintf(out, "removed %s\n", what)
		err = errors.Join(err, writeErr)
	}
	return err
}

// sweep sweeps one root.
func (p Parts) sweep(root string, out io.Writer) error {
	var untold error
	removed, err := state.Sweep(context.Background(), root, backend.Reap(p.Backends), func(dead state.Ended, _ error) {
		untold = errors.Join(untold, dead.Tell(audit.Removed, "sweep", nil))
	})
	if err != nil {
		err = fault.New(fault.LeftBehind, err, "")
	}
	err = errors.Join(err, untold)
	for _, dead := range removed {
		_, writeErr := fmt.Fprintf(out, "removed what job %s left in %s\n", dead.ID, root)
		err = errors.Join(err, writeErr)
	}
	return err
}
