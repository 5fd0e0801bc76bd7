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
)

// DefaultPolicy is the path where a policy file lies unless --config says otherwise.
const DefaultPolicy = "/etc/rolecall/rolecall.toml"

// maxPolicy bounds the size of a policy file, in bytes: some ten thousand tenants.
const maxPolicy = 8 << 20

// errDone says that the flags asked for nothing but a text, which is printed.
var errDone = errors.New("done")

// parseFlags reads the command line.
func (c *Call) parseFlags(name string) error {
	flags := flag.NewFlagSet("rolecall "+name, flag.ContinueOnError)
	flags.SetOutput(c.Stderr)
	flags.StringVar(&c.policy, "config", "", "policy `FILE` (default "+DefaultPolicy+")")
	flags.StringVar(&c.pinned, "tenant", "", "`NAME` of the tenant that this runner serves; without it the job's variable TENANT names it")
	version := flags.Bool("version", false, "print the version and exit")
	err := flags.Parse(os.Args[1:])
	c.Args = flags.Args()
	switch {
	case errors.Is(err, flag.ErrHelp):
		return errDone
	case err != nil:
		return fault.New(fault.Admin, err, "correct "+name+"_args in the runner's config.toml")
	case *version:
		if _, err := fmt.Fprintf(c.Stdout, "rolecall %s %s\n", name, Version); err != nil {
			return err
		}
		return errDone
	}
	return nil
}

// Policy returns the policy file, compiled, or nil where the default one is not
// there: zero-config mode. Errors are a fault.Admin.
func (c *Call) Policy() (*tenant.Policy, error) { return ReadPolicy(c.policy) }

// ReadPolicy is Policy for the value of --config, which may be empty.
func ReadPolicy(named string) (*tenant.Policy, error) {
	file := cmp.Or(named, DefaultPolicy)
	content, err := adminfile.Read(file, maxPolicy)
	if named == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
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
func (c *Call) Pinned() (tenant.Name, error) {
	if c.pinned == "" {
		return tenant.None, nil
	}
	name, err := tenant.ParseName(c.pinned)
	if err != nil {
		return tenant.None, fault.New(fault.Admin, fmt.Errorf("--tenant: %w", err), "correct it in the runner's config.toml")
	}
	return name, nil
}
