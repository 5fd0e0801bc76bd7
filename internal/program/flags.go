package program

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"

	"rolecall/internal/fault"
	"rolecall/internal/suspension"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// Root is the value of --run-as that lets scripts run as root.
const Root = "root"

// errDone says that the flags requested only a text, which has been printed.
var errDone = errors.New("done")

// Flags are the command line that an admin gives to a stage. All four stages of a runner
// get the same flags.
type Flags struct {
	Config   string `json:"config,omitempty"`    // path of the policy file; empty: policyfile.Default
	NoPolicy bool   `json:"no_policy,omitempty"` // there is no policy file: a job names its tenant and role
	RunAs    string `json:"run_as,omitempty"`    // with NoPolicy: the unix user of all scripts, or Root
	Tenant   string `json:"tenant,omitempty"`    // the tenant of the runner; empty: a job names it
}

// Register defines the flags in set. Parsing set then fills in f. The text of --help
// explains the flags.
func (f *Flags) Register(set *flag.FlagSet) {
	set.StringVar(&f.Config, "config", "", "")
	set.BoolVar(&f.NoPolicy, "no-policy", false, "")
	set.StringVar(&f.RunAs, "run-as", "", "")
	set.StringVar(&f.Tenant, "tenant", "", "")
}

// Check reports flags that contradict each other, as a fault.Admin.
func (f Flags) Check() error {
	switch {
	case f.NoPolicy && f.Config != "":
		return fault.New(fault.BadFlags, errors.New("--no-policy and --config contradict each other"), "remove one of them in the runner's config.toml")
	case f.RunAs != "" && !f.NoPolicy:
		return fault.New(fault.BadFlags, errors.New("--run-as is for --no-policy only"), "set run_as in the policy file, and remove --run-as in the runner's config.toml")
	}
	return nil
}

// Policy returns the policy file, compiled, or nil with --no-policy. A file that is
// missing or broken is a fault.Admin.
func (f Flags) Policy(providers ...policyfile.Provider) (*tenant.Policy, error) {
	if f.NoPolicy {
		return nil, nil
	}
	policy, err := policyfile.Load(f.file(), providers...)
	if f.Config == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NoPolicy, err,
			"write one; or, if jobs shall name their tenant and role themselves, "+paste(Flags{NoPolicy: true, RunAs: "NAME", Tenant: f.Tenant}))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.BadPolicy, err, "write it; or, if it has another name, correct --config in the four *_args of the runner's config.toml")
	}
	return policy, err
}

// Policy returns what Flags.Policy returns. The contact that a policy names stands in all
// later messages.
func (c *Call) Policy(providers ...policyfile.Provider) (*tenant.Policy, error) {
	policy, err := c.Flags.Policy(providers...)
	c.about.Contact = contactOf(policy)
	return policy, err
}

// file returns the path of the policy file.
func (f Flags) file() string { return cmp.Or(f.Config, policyfile.Default) }

// Suspensions returns the file that says which tenants are suspended. Without a policy file it lies
// where that of other runners would lie.
func (f Flags) Suspensions() suspension.File { return suspension.Beside(f.file()) }

// User returns the unix user of --run-as, empty if it is Root. Root is a fault.Admin if
// euid, the effective uid of the driver, is not root's.
func (f Flags) User(euid int) (string, error) {
	if f.RunAs != Root {
		return f.RunAs, nil
	}
	if euid != 0 {
		return "", fault.New(fault.BadFlags, fmt.Errorf("--run-as root: the runner's service is not root, its uid is %d", euid),
			"remove --run-as in the runner's config.toml: scripts run as the service's user")
	}
	return "", nil
}

// Pinned returns the tenant of --tenant, or tenant.None.
func (f Flags) Pinned() (tenant.Name, error) {
	if f.Tenant == "" {
		return tenant.None, nil
	}
	name, err := tenant.ParseName(f.Tenant)
	if err != nil {
		return tenant.None, fault.New(fault.BadFlags, fmt.Errorf("--tenant: %w", err), "correct it in the runner's config.toml")
	}
	return name, nil
}

// parseFlags reads the command line into c. If the flags request a text, parseFlags
// prints it and returns errDone. A wrong command line is a fault.Admin.
func (p Program) parseFlags(c *Call, args []string) error {
	set := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard) // the error says what is wrong
	c.Register(set)
	wantsVersion := set.Bool("version", false, "")
	err := set.Parse(args)
	c.Args = set.Args()
	switch {
	case errors.Is(err, flag.ErrHelp):
		return show(c.Stdout, usage, p.Name, p.Does)
	case err != nil:
		return fault.New(fault.BadFlags, err, fmt.Sprintf("correct %[1]s_args in the runner's config.toml; %[1]s --help lists the flags", p.Name))
	case *wantsVersion:
		return show(c.Stdout, "rolecall %s %s\n", p.Name, version.Long())
	}
	return c.Check()
}

// show prints a requested text, and returns errDone or the error of printing it.
func show(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return err
	}
	return errDone
}
