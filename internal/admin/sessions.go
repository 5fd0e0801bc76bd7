package admin

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/history"
	"rolecall/internal/admin/live"
	"rolecall/internal/audit/reading"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
)

// longest is how long ago a session that is still valid can have been issued: a job runs for a
// month at most.
const longest = 32 * 24 * time.Hour

// sessions says who is in now.
func (d call) sessions() *cobra.Command {
	var a asking
	var all *bool
	c := newCommand("sessions", "list the jobs that run now, and until when they have credentials", func() error { return d.runSessions(a, *all) })
	c.Long = `sessions lists the jobs of this host's runners that run now, with their tenants and until when their
credentials are valid. A job that has ended is not listed. STS cannot revoke a session: --all also
lists the sessions that STS still honours though their jobs have ended, and those of a broker, which
is not told when a job ends.`
	a = askingFlags(c)
	all = c.Flags().Bool("all", false, "also list sessions that are valid though their jobs have ended")
	return c
}

// present is the answer of sessions.
type present struct {
	Jobs  []live.Job        `json:"jobs"`
	After []history.Session `json:"valid_without_job,omitempty"` // with --all
	More  bool              `json:"more,omitempty"`
	Log   *source           `json:"log,omitempty"` // nil: there is none

	all bool
}

// runSessions prints who is in now.
func (d call) runSessions(a asking, all bool) error {
	policy, err := d.readPolicy(program.Flags{Config: *a.config})
	if err != nil {
		return err
	}
	log, err := d.logOf(policy, a)
	if err != nil {
		return err
	}
	p, problems := presentOf(policy, log, all)
	if log != nil {
		defer log.Close()
		problems = errors.Join(problems, d.done(log, true))
	}
	return errors.Join(d.print(p, p.String(), *a.json), problems)
}

// logOf returns the audit log of a policy file, and nil if it names none.
func (d call) logOf(policy *tenant.Policy, a asking) (*reading.Log, error) {
	if policy.Settings().AuditLog == "" && *a.log == "" {
		return nil, nil
	}
	return d.open(a)
}

// presentOf returns who is in now. Log may be nil.
func presentOf(policy *tenant.Policy, log *reading.Log, all bool) (present, error) {
	jobs, err := live.Jobs(live.Roots(policy.Settings().CredentialsDir))
	p := present{Jobs: jobs, all: all}
	if log == nil {
		return p, err
	}
	live.Join(log, p.Jobs)
	unread := log.Unread()
	if all {
		now := time.Now()
		valid, more := history.Valid(log, now.Add(-longest), now)
		unread = log.Unread()
		history.Close(log, valid)
		p.After, p.More = live.Without(p.Jobs, valid), more
	}
	p.Log = &source{history.Begins(log), unread}
	return p, err
}

// String returns the answer for people.
func (p present) String() string {
	text := "no job runs now\n"
	if len(p.Jobs) > 0 {
		rows := [][]string{{"JOB", "TENANT", "PROJECT", "REF", "SINCE", "UNTIL", "STAGE"}}
		for _, j := range p.Jobs {
			rows = append(rows, []string{fit(j.ID, 11), fit(j.Tenant, 11), fit(j.Project, 20), fit(j.Ref, 14), short(j.Since), short(j.Until), fit(j.Stage, 10)})
		}
		text = table(rows) + fmt.Sprintf("\n%d jobs run now; times are in UTC\n", len(p.Jobs))
	}
	if p.all {
		text += "\n" + p.after()
	}
	if p.Log == nil {
		text += "the policy file names no audit_log: until when credentials are valid is not known\n"
	}
	return text
}

// after returns the sessions without a job that runs for people.
func (p present) after() string {
	if len(p.After) == 0 {
		return "no session is valid without a job that runs\n"
	}
	rows := [][]string{{"JOB", "TENANT", "ACCESS KEY ID", "SESSION", "JOB ENDED", "VALID UNTIL"}}
	for _, s := range p.After {
		ended := "not known"
		if s.End != nil {
			ended = short(s.End.Time)
		}
		rows = append(rows, []string{fit(s.ID, 11), fit(s.Tenant, 11), fit(s.AccessKeyID, 20), fit(s.Name, 28), ended, short(s.Expires)})
	}
	text := table(rows) + fmt.Sprintf("\nSTS honours these %d sessions until then: it cannot revoke one; times are in UTC\n", len(p.After))
	if p.More {
		text += "there are more\n"
	}
	return text
}
