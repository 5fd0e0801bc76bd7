// Package doctor tells a runner's admin what is wrong with a host, how a policy file
// decides about a job, and which trust policy AWS needs for a tenant. It removes images that
// jobs do not use any more.
package doctor

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"rolecall/internal/admission"
	"rolecall/internal/process"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

const usage = `usage: doctor COMMAND [FLAGS]

  check         look for mistakes in this host, its policy file and its runners
  explain       say what would be decided for a job, and by which rule
  trust-policy  print the trust policy of a tenant's role, and its identity provider
  prune         remove images that jobs in containers do not use any more

doctor COMMAND --help lists the flags. Run doctor as the user that runs GitLab
Runner; it reports files of other users as unsafe. The exit code is 0 if nothing
is wrong, 1 if something is wrong, and 2 if the command line is wrong.
`

// The exit codes.
const (
	healthy  = 0
	sick     = 1
	misasked = 2
)

var (
	// errHelp says that a requested text has been printed.
	errHelp = errors.New("help")
	// errSick says that a problem was found and has been printed.
	errSick = errors.New("a problem was found")
)

// usageError is the error about a wrong command line.
type usageError struct{ error }

// Provider is a provider of credentials. It reads policy files and makes orders, but
// asks no server.
type Provider interface {
	policyfile.Provider
	admission.Provider
}

// Doctor is the program. Policy files may have the keys of its providers.
type Doctor []Provider

// call is one call of the program.
type call struct {
	providers      []Provider
	stdin          io.Reader
	stdout, stderr io.Writer
}

// Main runs doctor as the main function of the process and exits.
func (d Doctor) Main() { process.Exit(d.Serve) }

// Serve runs the command line args, which lacks the program's name. It does not read
// environ. It returns the exit code: 0 if nothing is wrong, 1 if something is wrong, 2
// if the command line is wrong.
func (d Doctor) Serve(args, _ []string, in io.Reader, out, stderr io.Writer) (code int) {
	c := call{d, in, out, stderr}
	return c.exitCode(c.run(args))
}

// exitCode reports an error, and returns its exit code.
func (d call) exitCode(err error) int {
	var wrong usageError
	switch {
	case err == nil || errors.Is(err, errHelp):
		return healthy
	case errors.Is(err, errSick):
		return sick
	case errors.As(err, &wrong):
		d.say("doctor: %v\n", err)
		return misasked
	}
	d.say("doctor: error: %v\n", err)
	return sick
}

// schemas returns the providers, to read a policy file.
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
	case "prune":
		return d.prune(args[1:])
	case "--version", "-version":
		_, err := fmt.Fprintf(d.stdout, "rolecall doctor %s\n", version.Long())
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

// parse reads the command line. The flag package prints its errors.
func (c command) parse(args []string) error {
	err := c.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return errHelp
	case err != nil:
		return usageError{err}
	case c.NArg() > 0:
		return usageError{fmt.Errorf("unknown argument %.40q", c.Arg(0))}
	}
	return nil
}

// readPolicy returns the policy file that stages with the flags read, or nil with
// --no-policy.
func (d call) readPolicy(flags program.Flags) (*tenant.Policy, error) {
	if err := flags.Check(); err != nil {
		return nil, usageError{err}
	}
	return flags.Policy(d.schemas()...)
}
