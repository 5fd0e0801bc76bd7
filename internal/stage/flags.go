package stage

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// defaultPolicy is where a policy file lies unless --config says otherwise.
const defaultPolicy = "/etc/rolecall/rolecall.toml"

// errDone says that the flags asked for nothing but a text, which is printed.
var errDone = errors.New("done")

// parseFlags reads the command line.
func (c *Call) parseFlags(name string) error {
	flags := flag.NewFlagSet("rolecall "+name, flag.ContinueOnError)
	flags.SetOutput(c.Stderr)
	flags.StringVar(&c.policy, "config", "", "policy `FILE` (default "+defaultPolicy+")")
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

// Rules returns the rules by which a job's tenant is decided. Without a policy
// file they are tenant.ZeroConfig. A policy file is refused, since this version
// reads none: to ignore one would grant what its admin denies.
func (c *Call) Rules() (tenant.ZeroConfig, error) {
	file := c.policy
	if file == "" {
		file = defaultPolicy
	}
	_, err := os.Lstat(file)
	if err == nil {
		return tenant.ZeroConfig{}, fault.New(fault.Admin, fmt.Errorf("policy file %s: this version of rolecall reads none", file), "remove it")
	}
	if c.policy != "" || !errors.Is(err, fs.ErrNotExist) {
		return tenant.ZeroConfig{}, fault.New(fault.Admin, fmt.Errorf("policy file: %w", err), "correct --config in the runner's config.toml")
	}
	if c.pinned == "" {
		return tenant.ZeroConfig{}, nil
	}
	name, err := tenant.ParseName(c.pinned)
	if err != nil {
		return tenant.ZeroConfig{}, fault.New(fault.Admin, fmt.Errorf("--tenant: %w", err), "correct it in the runner's config.toml")
	}
	return tenant.ZeroConfig{Pinned: name}, nil
}
