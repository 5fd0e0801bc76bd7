// Package doctor tells a runner's admin what is wrong with a host, what a policy
// file makes of a job, and what AWS must be told of a tenant.
package doctor

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"rolecall/internal/admission"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

const usage = `usage: doctor COMMAND [FLAGS]

  check         look for what is wrong with this host, its policy file and its runners
  explain       say what would be decided for a job, and by which rule
  trust-policy  print the trust policy of a tenant's role, and its identity provider

doctor COMMAND --help lists the flags. Run it as the user who runs the runner: of
another user's file it says that a stranger could change it. The exit code is 0 where nothing is wrong,
1 where something is, and 2 for a command line that makes no sense.
`

// The exit codes.
const (
	healthy  = 0
	sick     = 1
	misasked = 2
)

var (
	// errHelp says that a text was asked for and is printed.
	errHelp = errors.New("help")
	// errSick says that the problem is printed already.
	errSick = errors.New("a problem was found")
)

// usageError is a command line that makes no sense.
type usageError struct{ error }

// Provider is a provider of credentials as policy files and admission know it.
type Provider interface {
	policyfile.Provider
	admission.Provider
}

// Doctor is the program, for policy files that may have the keys of its providers.
type Doctor []Provider

// call is one call of the program.
type call struct {
	providers      []Provider
	stdin          io.Reader
	stdout, stderr io.Writer
}

// Main runs doctor as the process's own main and exits.
func (d Doctor) Main() { program.Exit(d.Serve) }

// Serve runs the command line args, without the program's name; it does not read
// environ. It returns the exit code: 0 where nothing is wrong, 1 where something is,
// 2 for wrong usage.
func (d Doctor) Serve(args, _ []string, in io.Reader, out, stderr io.Writer) (code int) {
	c := call{d, in, out, stderr}
	err := c.run(args)
	var wrong usageError
	switch {
	case err == nil || errors.Is(err, errHelp):
		return healthy
	case errors.Is(err, errSick):
		return sick
	case errors.As(err, &wrong):
		c.say("doctor: %v\n", err)
		return misasked
	}
	c.say("doctor: error: %v\n", err)
	return sick
}

// schemas returns the providers as policy files know them.
func (d call) schemas() []policyfile.Provider {
	all := make([]policyfile.Provider, len(d.providers))
	for i, p := range d.providers {
		all[i] = p
	}
	return all
}

// run runs one of the commands.
func (d call) run(args []string) error {
	if len(args) == 0 {
		d.say("%s", usage)
		return usageError{errors.New("name a command")}
	}
	switch name := args[0]; name {
	case "check":
		return d.check(args[1:])
	case "explain":
		return d.explain(args[1:])
	case "trust-policy":
		return d.trustPolicy(args[1:])
	case "--version", "-version":
		_, err := fmt.Fprintf(d.stdout, "rolecall doctor %s\n", version.Version)
		return err
	case "--help", "-help", "-h", "help":
		_, err := fmt.Fprint(d.stdout, usage)
		return err
	default:
		return usageError{fmt.Errorf("there is no command %.40q; doctor --help lists them", name)}
	}
}

// command is the command line of one command.
type command struct {
	*flag.FlagSet
	policy *string
	tenant *string
}

// flags returns the flags that the commands have in common.
func (d call) flags(name, tenantUsage string) command {
	set := flag.NewFlagSet("doctor "+name, flag.ContinueOnError)
	set.SetOutput(d.stderr)
	c := command{FlagSet: set, policy: set.String("config", "", "policy `FILE` (default "+policyfile.Default+")")}
	if tenantUsage != "" {
		c.tenant = set.String("tenant", "", tenantUsage)
	}
	return c
}

// parse reads the command line. The flag package prints what it finds wrong.
func (c command) parse(args []string) error {
	err := c.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return errHelp
	case err != nil:
		return usageError{err}
	case c.NArg() > 0:
		return usageError{fmt.Errorf("%.40q is no flag", c.Arg(0))}
	}
	return nil
}

// readPolicy returns the policy file, or nil with --no-policy, as the stages read it.
func (d call) readPolicy(flags program.Flags) (*tenant.Policy, error) {
	if err := flags.Check(); err != nil {
		return nil, usageError{err}
	}
	return flags.Policy(d.schemas()...)
}
