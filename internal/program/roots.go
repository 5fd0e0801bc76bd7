package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"rolecall/internal/state"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// ForAllJobs reads the command line of a program that looks after all jobs of the host, and
// returns the policy file and the folders of the state of jobs: those that are the same for all
// policy files, and the one that the file of --config names. The policy is nil if no file is
// named and the default file does not exist, since a runner may have none. If the arguments are
// wrong, help gets a text and there are no folders. If the policy file is wrong, there are the
// other folders beside the error.
func ForAllJobs(name string, args []string, help io.Writer, providers ...policyfile.Provider) (*tenant.Policy, []string, error) {
	flags := flag.NewFlagSet("rolecall "+name, flag.ContinueOnError)
	flags.SetOutput(help)
	named := flags.String("config", "", "policy `FILE` (default "+policyfile.Default+")")
	if err := flags.Parse(args); err != nil {
		return nil, nil, err
	}
	if flags.NArg() > 0 {
		return nil, nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	roots := state.Roots()
	if _, err := os.Lstat(policyfile.Default); *named == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, roots, nil
	}
	policy, err := Flags{Config: *named}.Policy(providers...)
	if policy != nil && policy.Settings().CredentialsDir != "" {
		roots = append(roots, policy.Settings().CredentialsDir)
	}
	return policy, roots, err
}
