// Package doctor tells a runner's admin what is wrong with a host, what a policy
// file makes of a job, and what AWS must be told of a tenant.
package doctor

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"rolecall/internal/stage"
	"rolecall/internal/tenant"
	"rolecall/internal/version"
)

// maxFile bounds the size of the files that an admin writes, in bytes.
const maxFile = 8 << 20

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

// Doctor is one call of the program.
type Doctor struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Main runs doctor as the process's own main and exits.
func Main() {
	d := Doctor{os.Stdin, os.Stdout, os.Stderr}
	os.Exit(d.Run(os.Args[1:]))
}

// Run runs the command line args, without the program's name, and returns the exit
// code: 0 where nothing is wrong, 1 where something is, 2 for wrong usage.
func (d Doctor) Run(args []string) int {
	err := d.run(args)
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

// run runs one of the commands.
func (d Doctor) run(args []string) error {
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
		_, err := fmt.Fprintf(d.Stdout, "rolecall doctor %s\n", version.Version)
		return err
	case "--help", "-help", "-h", "help":
		_, err := fmt.Fprint(d.Stdout, usage)
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
func (d Doctor) flags(name, tenantUsage string) command {
	set := flag.NewFlagSet("doctor "+name, flag.ContinueOnError)
	set.SetOutput(d.Stderr)
	c := command{FlagSet: set, policy: set.String("config", "", "policy `FILE` (default "+stage.DefaultPolicy+")")}
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

// readPolicy returns the policy file, or nil where there shall be none. It reads it
// as the stages do.
func (c command) readPolicy(none bool) (*tenant.Policy, error) {
	flags := stage.Flags{Config: *c.policy, NoPolicy: none}
	if err := flags.Check(); err != nil {
		return nil, usageError{err}
	}
	return flags.Policy()
}
