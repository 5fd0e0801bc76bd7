package program

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// Root is the value of --run-as that lets scripts run as root.
const Root = "root"

// errDone says that the flags asked for nothing but a text, which is printed.
var errDone = errors.New("done")

// Flags are what an admin tells a stage on its command line. All four stages of a
// runner are told the same.
type Flags struct {
	Config   string `json:"config,omitempty"`    // path of the policy file; empty: policyfile.Default
	NoPolicy bool   `json:"no_policy,omitempty"` // there is no policy file: a job names its tenant and role
	RunAs    string `json:"run_as,omitempty"`    // with NoPolicy: the unix user of all scripts, or Root
	Tenant   string `json:"tenant,omitempty"`    // the tenant of the runner; empty: a job names it
}

// Register defines the flags in set, which then fills in f. What the flags are for,
// --help says.
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
		return fault.New(fault.Admin, errors.New("--no-policy and --config contradict each other"), "remove one of them in the runner's config.toml")
	case f.RunAs != "" && !f.NoPolicy:
		return fault.New(fault.Admin, errors.New("--run-as is for --no-policy only"), "set run_as in the policy file, and remove --run-as in the runner's config.toml")
	}
	return nil
}

// Policy returns the policy file, compiled, or nil with --no-policy. What is
// missing or broken is a fault.Admin.
func (f Flags) Policy(providers ...policyfile.Provider) (*tenant.Policy, error) {
	if f.NoPolicy {
		return nil, nil
	}
	policy, err := policyfile.Load(cmp.Or(f.Config, policyfile.Default), providers...)
	if f.Config == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Admin, err,
			"write one; or, if jobs shall name their tenant and role themselves, "+paste(Flags{NoPolicy: true, RunAs: "NAME", Tenant: f.Tenant}))
	}
	return policy, err
}

// User returns the unix user of --run-as, none where that is Root. That a driver with
// the effective uid euid, which is not root, shall run scripts as Root is a
// fault.Admin.
func (f Flags) User(euid int) (string, error) {
	if f.RunAs != Root {
		return f.RunAs, nil
	}
	if euid != 0 {
		return "", fault.New(fault.Admin, fmt.Errorf("--run-as root: the runner's service is not root, its uid is %d", euid),
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
		return tenant.None, fault.New(fault.Admin, fmt.Errorf("--tenant: %w", err), "correct it in the runner's config.toml")
	}
	return name, nil
}

// parseFlags reads the command line into c, and prints a text that it asks for: then
// the error is errDone. A command line that is wrong is a fault.Admin.
func (p Program) parseFlags(c *Call, args []string) error {
	set := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	set.SetOutput(io.Discard) // the error says what is wrong
	c.Register(set)
	asked := set.Bool("version", false, "")
	err := set.Parse(args)
	c.Args = set.Args()
	switch {
	case errors.Is(err, flag.ErrHelp):
		return show(c.Stdout, usage, p.Name, p.Does)
	case err != nil:
		return fault.New(fault.Admin, err, fmt.Sprintf("correct %[1]s_args in the runner's config.toml; %[1]s --help lists the flags", p.Name))
	case *asked:
		return show(c.Stdout, "rolecall %s %s\n", p.Name, version.Version)
	}
	return c.Check()
}

// show prints a text that was asked for, and returns errDone or why it cannot.
func show(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return err
	}
	return errDone
}
