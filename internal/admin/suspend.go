package admin

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"rolecall/internal/audit"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/suspension"
	"rolecall/internal/tenant"
	"rolecall/internal/version"
)

// suspending is the command line of suspend and of resume.
type suspending struct {
	program.Flags

	tenant string // empty: all
	all    bool
	until  time.Time
	now    bool
	reason string
	force  bool // the policy file need not have the tenant
	asJSON bool
}

// suspend stops a tenant.
func (d call) suspend() *cobra.Command {
	var s suspending
	c := d.suspendCommand("suspend", "stop a tenant at once: its jobs get nothing", &s, d.runSuspend)
	c.Long = `suspend stops a tenant, or all tenants, on this host from this moment on: jobs are refused, no
script of one starts, and what an endpoint or a broker holds is not given any more. Nothing must
be restarted. What AWS has issued by then is valid until it expires. A second suspension of the
same tenant takes the place of the first.`
	c.Example = `  rolecall suspend alpha --now --until 2h --reason "a key was found in a log"
  rolecall suspend --all`
	set := c.Flags()
	set.Func("until", "when it ends by itself: a `TIME` such as 2026-02-03T08:00:00Z, or a duration such as 2h (default: rolecall resume)", func(text string) (err error) {
		s.until, err = parseUntil(text, time.Now())
		return err
	})
	set.BoolVar(&s.now, "now", false, "end the scripts that run, too")
	set.StringVar(&s.reason, "reason", "", "`TEXT` of one line that the authors of refused jobs see")
	set.BoolVar(&s.force, "force", false, "suspend it, although the policy file does not have the tenant")
	return c
}

// suspendCommand returns a command about one tenant or all.
func (d call) suspendCommand(name, short string, s *suspending, run func(suspending) error) *cobra.Command {
	c := &cobra.Command{Use: name + " TENANT|--all", Short: short, RunE: func(_ *cobra.Command, args []string) error {
		if err := s.read(args); err != nil {
			return usageError{err}
		}
		return run(*s)
	}}
	c.ValidArgsFunction = d.tenants
	c.Flags().StringVar(&s.Config, "config", "", "the suspension counts for programs with this policy `FILE` (default /etc/rolecall/rolecall.toml)")
	c.Flags().BoolVar(&s.NoPolicy, "no-policy", false, "it counts for runners with --no-policy")
	c.Flags().BoolVar(&s.all, "all", false, "all tenants, also those that the policy file will have later")
	c.Flags().BoolVar(&s.asJSON, "json", false, "print JSON")
	return c
}

// read reads the arguments, and checks the command line.
func (s *suspending) read(args []string) error {
	switch {
	case len(args) > 1:
		return fmt.Errorf("unknown argument %.40q", args[1])
	case s.all == (len(args) == 1):
		return errors.New("name one tenant, or --all")
	}
	if len(args) == 1 {
		name, err := tenant.ParseName(args[0])
		if err != nil {
			return err
		}
		s.tenant = string(name)
	}
	if err := suspension.CheckText(s.reason); err != nil {
		return fmt.Errorf("--reason: %w", err)
	}
	return s.Check()
}

// parseUntil reads a time in the future, or how long it is until then.
func parseUntil(text string, now time.Time) (time.Time, error) {
	until, err := time.Parse(time.RFC3339, text)
	if err != nil {
		wait, ofWait := time.ParseDuration(text)
		if until, err = now.Add(wait), ofWait; err != nil {
			return until, errors.New("want a time such as 2026-02-03T08:00:00Z, or a duration such as 2h")
		}
	}
	if !until.After(now) {
		return until, fmt.Errorf("want a time in the future: it is %s", now.UTC().Format(time.RFC3339))
	}
	return until.UTC().Round(time.Second), nil
}

// runSuspend suspends a tenant. That the policy file or the audit log cannot be used is only a
// warning: a suspension gives nothing to anybody.
func (d call) runSuspend(s suspending) error {
	policy, err := d.readPolicy(s.Flags)
	if err != nil {
		d.say("rolecall: warning: the policy file cannot be read, and so nobody knows whether it has the tenant: %v\n", err)
	}
	if err := s.known(policy); err != nil {
		return err
	}
	one := suspension.Suspension{Tenant: s.tenant, All: s.all, Since: time.Now().UTC().Round(time.Second), Until: s.until, Now: s.now, Reason: s.reason, By: d.admin()}
	var all suspension.List
	err = s.Suspensions().Change(func(l suspension.List) (suspension.List, error) {
		all = l.With(one)
		return all, nil
	})
	if err != nil {
		return fmt.Errorf("nothing is suspended: %w", err)
	}
	if err := tellSuspended(policy, audit.Suspended, one); err != nil {
		d.say("rolecall: warning: the suspension holds, and the audit log does not say so: %v\n", err)
	}
	return d.printSuspended(s, "suspended: "+s.named(), all)
}

// admin returns the user who has called the program, also by sudo. It is empty if no name can be
// printed.
func (d call) admin() string {
	name := job.Get(d.environ, "SUDO_USER")
	if me, err := user.Current(); err == nil {
		name = cmp.Or(name, me.Username)
	}
	name = cmp.Or(name, "uid "+strconv.Itoa(os.Getuid()))
	if suspension.CheckText(name) != nil {
		return ""
	}
	return name
}

// tellSuspended writes to the audit log of a policy, if it has one, that a tenant was suspended or
// resumed.
func tellSuspended(policy *tenant.Policy, kind audit.Kind, s suspension.Suspension) error {
	if policy == nil {
		return nil
	}
	return audit.Log{Path: policy.Settings().AuditLog}.Write(audit.Event{
		Event: kind, Program: "rolecall", Version: version.Version,
		Tenant: s.Tenant, All: s.All, Until: s.Until, Now: s.Now, Reason: s.Reason, By: s.By,
	})
}
