package stage

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"rolecall/internal/adminfile"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
	"rolecall/internal/version"
)

// DefaultPolicy is the path where a policy file lies unless --config says otherwise.
const DefaultPolicy = "/etc/rolecall/rolecall.toml"

// Root is the value of --run-as that lets scripts run as root.
const Root = "root"

// maxPolicy bounds the size of a policy file, in bytes: some ten thousand tenants.
const maxPolicy = 8 << 20

// errDone says that the flags asked for nothing but a text, which is printed.
var errDone = errors.New("done")

// Flags are what an admin tells a stage on its command line. All four stages of a
// runner are told the same.
type Flags struct {
	Config   string `json:"config,omitempty"`    // path of the policy file; empty: DefaultPolicy
	NoPolicy bool   `json:"no_policy,omitempty"` // there is no policy file: a job names its tenant and role
	RunAs    string `json:"run_as,omitempty"`    // with NoPolicy: the unix user of all scripts, or Root
	Tenant   string `json:"tenant,omitempty"`    // the tenant of the runner; empty: a job names it
}

// Register defines the flags in set, which then fills in f.
func (f *Flags) Register(set *flag.FlagSet) {
	set.StringVar(&f.Config, "config", "", "policy `FILE` (default "+DefaultPolicy+")")
	set.BoolVar(&f.NoPolicy, "no-policy", false, "read no policy file: each job names its tenant and role, and only the role's trust policy decides")
	set.StringVar(&f.RunAs, "run-as", "", "with --no-policy: `NAME` of the unix user that all scripts run as")
	set.StringVar(&f.Tenant, "tenant", "", "`NAME` of the tenant that this runner serves; without it the job's variable TENANT names it")
}

// Check reports flags that contradict each other, as a fault.Admin.
func (f Flags) Check() error {
	switch {
	case f.NoPolicy && f.Config != "":
		return fault.New(fault.Admin, errors.New("--no-policy and --config contradict each other"), "remove one of them in the runner's config.toml")
	case f.RunAs != "" && !f.NoPolicy:
		return fault.New(fault.Admin, errors.New("--run-as is for --no-policy only"), "set run_as in the policy file, and remove --run-as in the runner's config.toml")
	}
	return nil
}

// Policy returns the policy file, compiled, or nil with --no-policy. What is
// missing or broken is a fault.Admin.
func (f Flags) Policy() (*tenant.Policy, error) {
	if f.NoPolicy {
		return nil, nil
	}
	file := cmp.Or(f.Config, DefaultPolicy)
	content, err := adminfile.Read(file, maxPolicy)
	if f.Config == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Admin, fmt.Errorf("policy file: %w", err),
			"write one; or, if jobs shall name their tenant and role themselves, "+paste(Flags{NoPolicy: true, RunAs: "NAME", Tenant: f.Tenant}))
	}
	if err != nil {
		return nil, fault.New(fault.Admin, fmt.Errorf("policy file: %w", err), "")
	}
	policy, err := tenant.Compile(file, content)
	if err != nil {
		return nil, fault.New(fault.Admin, fmt.Errorf("policy file: %w", err), "run doctor check on the runner's host")
	}
	return policy, nil
}

// Pinned returns the tenant of --tenant, or tenant.None.
func (f Flags) Pinned() (tenant.Name, error) {
	if f.Tenant == "" {
		return tenant.None, nil
	}
	name, err := tenant.ParseName(f.Tenant)
	if err != nil {
		return tenant.None, fault.New(fault.Admin, fmt.Errorf("--tenant: %w", err), "correct it in the runner's config.toml")
	}
	return name, nil
}

// parseFlags reads the command line.
func (c *Call) parseFlags(name string) error {
	set := flag.NewFlagSet("rolecall "+name, flag.ContinueOnError)
	set.SetOutput(c.Stderr)
	c.Register(set)
	show := set.Bool("version", false, "print the version and exit")
	err := set.Parse(os.Args[1:])
	c.Args = set.Args()
	switch {
	case errors.Is(err, flag.ErrHelp):
		return errDone
	case err != nil:
		return fault.New(fault.Admin, err, "correct "+name+"_args in the runner's config.toml")
	case *show:
		if _, err := fmt.Fprintf(c.Stdout, "rolecall %s %s\n", name, version.Version); err != nil {
			return err
		}
		return errDone
	}
	return c.Check()
}
