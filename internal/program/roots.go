package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"rolecall/internal/state"
	"rolecall/internal/suspension"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// AllJobs is what a program needs to know that looks after all jobs of the host.
type AllJobs struct {
	Policy      *tenant.Policy  // nil if no file is named and the default file does not exist, since a runner may have none
	Roots       []string        // folders of the state of jobs: the same for all policy files, and the one that the policy file names
	Suspensions suspension.File // beside the policy file
}

// ForAllJobs reads the command line of a program that looks after all jobs of the host. If the
// arguments are wrong, help gets a text and there is nothing. If the policy file is wrong, there
// is the rest beside the error.
func ForAllJobs(name string, args []string, help io.Writer, providers ...policyfile.Provider) (AllJobs, error) {
	flags := flag.NewFlagSet("rolecall "+name, flag.ContinueOnError)
	flags.SetOutput(help)
	named := flags.String("config", "", "policy `FILE` (default "+policyfile.Default+")")
	if err := flags.Parse(args); err != nil {
		return AllJobs{}, err
	}
	if flags.NArg() > 0 {
		return AllJobs{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	all := AllJobs{Roots: state.Roots(), Suspensions: Flags{Config: *named}.Suspensions()}
	if _, err := os.Lstat(policyfile.Default); *named == "" && errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	var err error
	all.Policy, err = Flags{Config: *named}.Policy(providers...)
	if all.Policy != nil && all.Policy.Settings().CredentialsDir != "" {
		all.Roots = append(all.Roots, all.Policy.Settings().CredentialsDir)
	}
	return all, err
}
