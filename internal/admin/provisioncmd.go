package admin

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/provision"
	"rolecall/internal/program"
)

// provision makes what the policy file asks for on this host.
func (d call) provision() *cobra.Command {
	var policy *string
	var dry, asJSON *bool
	c := newCommand("provision", "make the unix users and folders that the policy file asks for", func() error {
		return d.runProvision(*policy, *dry, *asJSON)
	})
	c.Long = `provision makes on this host what the policy file asks for and no package brings: the unix
users of tenants, and folders. It prints each command that it runs. What exists stays as it is, so
it can be run again at any time, and on every host that has this policy file. A second provision
waits until the first has ended.`
	policy, asJSON = policyFlag(c), jsonFlag(c)
	dry = c.Flags().Bool("dry-run", false, "print the commands, and run none")
	return c
}

// provisioned is what was made on a host, or would be.
type provisioned struct {
	provision.Plan

	DryRun bool `json:"dry_run"`
	failed bool
}

// runProvision makes what the policy file asks for, or with dry only says what that is.
func (d call) runProvision(file string, dry, asJSON bool) error {
	policy, err := d.readPolicy(program.Flags{Config: file})
	if err != nil {
		return err
	}
	if !dry {
		turn, err := provision.Take()
		if err != nil {
			return err
		}
		defer turn.Close() //nolint:errcheck // the kernel closes it all the same
	}
	plan, err := provision.For(policy)
	if err != nil {
		return err
	}
	for _, w := range plan.Warnings {
		d.say("rolecall: warning: %s\n", w)
	}
	result := provisioned{plan, dry, false}
	if !dry {
		result.Steps = []provision.Step{}
		err = plan.Do(context.Background(), func(s provision.Step) { result.Steps = append(result.Steps, s) })
		result.failed = err != nil
	}
	return errors.Join(d.print(result, result.String(), asJSON), err)
}

// String returns the commands, one on a line.
func (p provisioned) String() string {
	var text strings.Builder
	for _, s := range p.Steps {
		text.WriteString(s.String() + "\n")
	}
	if len(p.Steps) == 0 && !p.failed {
		text.WriteString("# nothing to do: this host has what the policy file asks for\n")
	}
	return text.String()
}
