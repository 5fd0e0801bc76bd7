// Package sweep removes what jobs left whose stages or runner have died: a timer
// starts it, for the hosts where no next job comes to do it.
package sweep

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"rolecall/internal/backend"
	"rolecall/internal/program"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Parts are what the program is made of.
type Parts struct {
	Backends  []backend.Reaper      // of all jobs that there may be on this host
	Providers []policyfile.Provider // whose keys a policy file may have
}

// Main runs sweep as the process's own main and exits.
func (p Parts) Main() { program.Exit(p.Serve) }

// Serve sweeps the folders that Roots returns for args, and writes what Run writes to
// out. It reads neither environ nor standard input. It returns an exit code: 0 where
// nothing is left that should go, else 1, for a reason on stderr.
func (p Parts) Serve(args, _ []string, _ io.Reader, out, stderr io.Writer) (code int) {
	roots, err := p.Roots(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err := errors.Join(err, p.Run(roots, out)); err != nil {
		_, _ = fmt.Fprintf(stderr, "rolecall: error: %v\n", err) // there is nobody else to tell
		return 1
	}
	return 0
}

// Roots returns the folders to sweep: those where a stage of this user keeps the
// state of jobs, and the credentials_dir of the policy file of --config. Help gets a
// text about wrong arguments. Beside an error about the policy file there are the
// other folders.
func (p Parts) Roots(args []string, help io.Writer) ([]string, error) {
	flags := flag.NewFlagSet("rolecall sweep", flag.ContinueOnError)
	flags.SetOutput(help)
	named := flags.String("config", "", "policy `FILE` (default "+policyfile.Default+")")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	roots := state.Roots()
	policy, err := readPolicy(*named, p.Providers)
	if policy != nil && policy.Settings().CredentialsDir != "" {
		roots = append(roots, policy.Settings().CredentialsDir)
	}
	return roots, err
}

// readPolicy returns the policy file, or nil where nobody has named one and there is
// none: what a runner without a policy file left goes too.
func readPolicy(named string, providers []policyfile.Provider) (*tenant.Policy, error) {
	if _, err := os.Lstat(policyfile.Default); named == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return program.Flags{Config: named}.Policy(providers...)
}

// Run sweeps the roots and writes a line to out for each job that it has removed.
// The error is about what is left.
func (p Parts) Run(roots []string, out io.Writer) error {
	var problems error
	for _, root := range roots {
		removed, err := state.Sweep(context.Background(), root, backend.Reap(p.Backends))
		for _, id := range removed {
			_, writeErr := fmt.Fprintf(out, "removed what job %s left in %s\n", id, root)
			err = errors.Join(err, writeErr)
		}
		problems = errors.Join(problems, err)
	}
	return problems
}
