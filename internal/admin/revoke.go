package admin

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/trust"
	"rolecall/internal/program"
)

// recalled says whose sessions are to end.
type recalled struct {
	tenant, source, before, format string
	policy                         *string
	asJSON                         *bool
}

// revoke prints what ends the sessions of a tenant in AWS. It changes nothing itself.
func (d call) revoke() *cobra.Command {
	var r recalled
	c := newCommand("revoke", "print the policies that end a tenant's sessions in AWS", func() error { return d.runRevoke(r) })
	c.Long = `revoke prints the policies that end the sessions of a tenant's roles in AWS, and how to set them.
STS cannot revoke a session: a policy of the role denies everything to sessions that are older than
a time. It changes nothing and asks no server.`
	c.Example = "  rolecall revoke --tenant alpha"
	set := c.Flags()
	r.policy, r.asJSON = policyFlag(c), jsonFlag(c)
	set.StringVar(&r.tenant, "tenant", "", "`NAME` of the tenant")
	set.StringVar(&r.source, "source", "", "`NAME` of one source of the tenant (default: the tenant's own role, and all sources)")
	set.StringVar(&r.before, "before", "", "end sessions from before this `TIME`, such as 2026-01-31T12:00:00Z (default: now)")
	set.StringVar(&r.format, "format", "cli", "`FORMAT`: cli for commands of the AWS CLI, json or terraform")
	return c
}

// runRevoke prints what ends the sessions.
func (d call) runRevoke(r recalled) error {
	if *r.asJSON {
		r.format = inJSON
	}
	before, err := readTime(r.before)
	switch {
	case err != nil:
		return usageError{err}
	case r.tenant == "":
		return usageError{errors.New("name the tenant by --tenant")}
	case r.format != inJSON && r.format != "cli" && r.format != inTerraform:
		return usageError{fmt.Errorf("--format %.40q: want cli, json or terraform", r.format)}
	}
	policy, err := d.readPolicy(program.Flags{Config: *r.policy})
	if err != nil {
		return err
	}
	t, err := find(policy, r.tenant)
	if err != nil {
		return err
	}
	end, err := trust.NewEnd(t, r.source, before)
	if err != nil {
		return err
	}
	return d.printEnd(end, r.format)
}

// printEnd prints what ends sessions, and what that does and does not do.
func (d call) printEnd(end trust.End, format string) error {
	switch format {
	case inJSON:
		return d.printJSON(end)
	case inTerraform:
		return d.print(nil, string(end.Terraform()), false)
	}
	return d.print(nil, end.Commands(), false)
}

// readTime reads a time; without one it is now. A time to come would also end sessions that do not
// exist yet.
func readTime(text string) (time.Time, error) {
	now := time.Now().UTC().Truncate(time.Second)
	if text == "" {
		return now, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	switch {
	case err != nil:
		return now, fmt.Errorf("--before %.40q: want a time such as 2026-01-31T12:00:00Z", text)
	case at.After(now):
		return now, fmt.Errorf("--before %s is to come: the sessions of new jobs would end too; leave it out for now", text)
	}
	return at.UTC(), nil
}
