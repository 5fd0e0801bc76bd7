// Package admin is the admins' program, rolecall: what is wrong with a host, how a policy
// file decides about a job, and which trust policy AWS needs for a tenant. It removes images
// that jobs do not use any more.
package admin

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"rolecall/internal/admission"
	"rolecall/internal/process"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// The exit codes.
const (
	healthy  = 0
	sick     = 1
	misasked = 2
	doubtful = 3 // of check alone: there is something to look at, and nothing to fix
)

// errSick says that a problem was found and has been printed.
var errSick = errors.New("a problem was found")

// usageError is the error about a wrong command line.
type usageError struct{ error }

// Provider is a provider of credentials. It reads policy files and makes orders, but
// asks no server.
type Provider interface {
	policyfile.Provider
	admission.Provider
}

// Program is the program. Policy files may have the keys of its providers.
type Program []Provider

// call is one call of the program.
type call struct {
	providers      []Provider
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// Main runs the program as the main function of the process and exits.
func (p Program) Main() { process.Exit(p.Serve) }

// Serve runs the command line args, which lacks the program's name. Of environ it reads
// SUDO_USER, and whether the user wants colours. It returns the exit code: 0 if nothing is wrong, 1 if
// something is wrong, 2 if the command line is wrong, and 3 if check has found nothing to fix,
// but something to look at.
func (p Program) Serve(args, environ []string, in io.Reader, out, stderr io.Writer) (code int) {
	answer := &output{Writer: out}
	c := call{p, environ, in, answer, stderr}
	root := c.root()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		err = answer.err // cobra does not tell of help that cannot be printed
	}
	return c.exitCode(err)
}

// Command returns the program's commands and flags, for pages and completions that are made
// from them.
func (p Program) Command() *cobra.Command { return call{providers: p}.root() }

// root returns the command of the program, and all commands below it.
func (d call) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "rolecall COMMAND",
		Short: "for admins of runners with the driver rolecall",
		Long: `rolecall is for admins of runners with the driver rolecall. Run it as the user that runs
GitLab Runner: it reports files of other users as unsafe. The exit code is 0 if nothing is wrong,
1 if something is wrong, and 2 if the command line is wrong; check has 3, too.`,
		Version:       version.Long(),
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("name a command; rolecall --help lists them")}
			}
			return usageError{fmt.Errorf("there is no command %.40q; rolecall --help lists them", args[0])}
		},
		RunE: func(*cobra.Command, []string) error { return nil }, // Args refuses all
	}
	root.SetVersionTemplate("rolecall {{.Version}}\n")
	root.SetIn(d.stdin)
	root.SetOut(d.stdout)
	root.SetErr(d.stderr)
	root.AddCommand(
		d.init(),
		d.check(),
		d.explain(),
		d.test(),
		d.trustPolicy(),
		d.revoke(),
		d.prune(),
		d.provision(),
		d.suspend(),
		d.resume(),
		d.who(),
		d.sessions(),
		d.refused(),
		d.job(),
		d.handover(),
		d.report(),
		d.bundle(),
	)
	d.furnish(root)
	return root
}

// exitCode reports an error, and returns its exit code.
func (d call) exitCode(err error) int {
	var wrong usageError
	switch {
	case err == nil:
		return healthy
	case errors.Is(err, errSick):
		return sick
	case errors.Is(err, errLook):
		return doubtful
	case errors.As(err, &wrong):
		d.say("rolecall: %v\n", err)
		return misasked
	}
	d.say("rolecall: error: %v%s\n", err, asRoot(err))
	return sick
}

// asRoot says to a user who lacks a right who has it.
func asRoot(err error) string {
	uid := os.Geteuid()
	if uid == 0 || !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	return fmt.Sprintf("; you are user %d: run it as root, or as the user that runs GitLab Runner", uid)
}

// schemas returns the providers, to read a policy file.
func (d call) schemas() []policyfile.Provider {
	all := make([]policyfile.Provider, len(d.providers))
	for i, p := range d.providers {
		all[i] = p
	}
	return all
}

// orderers returns the providers, to decide about a job.
func (d call) orderers() []admission.Provider {
	all := make([]admission.Provider, len(d.providers))
	for i, p := range d.providers {
		all[i] = p
	}
	return all
}

// newCommand returns a command without flags, which takes no arguments.
func newCommand(use, short string, run func() error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown argument %.40q", args[0])}
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error { return run() },
	}
}

// policyFlag defines the flag of the policy file.
func policyFlag(c *cobra.Command) *string {
	return c.Flags().String("config", "", "policy `FILE` (default "+policyfile.Default+")")
}

// jsonFlag defines the flag that asks for JSON.
func jsonFlag(c *cobra.Command) *bool { return c.Flags().Bool("json", false, "print JSON") }

// readPolicy returns the policy file that stages with the flags read, or nil with
// --no-policy.
func (d call) readPolicy(flags program.Flags) (*tenant.Policy, error) {
	if err := flags.Check(); err != nil {
		return nil, usageError{err}
	}
	return flags.Policy(d.schemas()...)
}
