package admin

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/history"
	"rolecall/internal/audit"
)

// who says whose session a record of CloudTrail is about.
func (d call) who() *cobra.Command {
	c := newCommand("who", "say which job had an access key id or a session", nil)
	c.Example = "  rolecall who ASIAIOSFODNN7EXAMPLE"
	c.Long = `who says whose session it was: KEY is an access key id of a session, SESSION the name of a role
session, and JOB the id of a job. CloudTrail has the first two in userIdentity. Rotated files of the
audit log are read too. All sessions that fit are shown, the newest first.`
	a := askingFlags(c)
	return about(c, "KEY|SESSION|JOB", func(text string) error { return d.runWho(strings.TrimSpace(text), a) })
}

// whose is the answer of who.
type whose struct {
	Sessions []history.Session `json:"sessions"`
	More     bool              `json:"more,omitempty"` // there are older ones
	Log      source            `json:"log"`

	asked string
}

// runWho prints the sessions that a text names.
func (d call) runWho(text string, a asking) error {
	log, err := d.open(a)
	if err != nil {
		return err
	}
	defer log.Close()
	w := whose{Sessions: []history.Session{}, asked: text}
	if found, more := history.Who(log, text); len(found) > 0 {
		w.Sessions, w.More = found, more
	}
	w.Log = sourceOf(log)
	history.Close(log, w.Sessions)
	if err := d.print(w, w.String(), *a.json); err != nil {
		return err
	}
	return d.done(log, len(w.Sessions) > 0)
}

// String returns the answer for people.
func (w whose) String() string {
	text := ""
	for _, s := range w.Sessions {
		text += sessionText(s) + "\n"
	}
	switch {
	case len(w.Sessions) == 0:
		text = fmt.Sprintf("no session has %s; a job that got nothing: rolecall job ID\n", printable(tooLong(w.asked)))
	case w.More:
		text += fmt.Sprintf("these are the newest %d; there are more\n", len(w.Sessions))
	}
	return text + w.Log.String() + "\n"
}

// tooLong cuts what somebody has asked for.
func tooLong(text string) string { return fmt.Sprintf("%.80s", text) }

// sessionText returns a session for people.
func sessionText(s history.Session) string {
	var l labelled
	l.add("access key id", s.AccessKeyID)
	l.add("session", s.Name)
	l.add("tenant", s.Tenant)
	l.add("source", s.Source)
	l.add("provider", s.Provider)
	l.add("role", s.Role)
	l.add("through", strings.Join(s.Chain, ", "))
	l.job(s.Job)
	verb := "issued"
	if s.Renewed {
		verb = "renewed"
	}
	l.add(verb, clock(s.Issued)+", by "+join(" for ", join(" on ", s.Program, s.Host), s.Client))
	l.add("valid until", clock(s.Expires))
	if !s.Revoked.IsZero() {
		l.add("revoked", clock(s.Revoked))
	}
	l.add("job ended", endText(s))
	return l.String()
}

// endText says when the job of a session has ended.
func endText(s history.Session) string {
	switch {
	case s.End == nil && s.Program == "broker":
		return "not known: the broker is not told"
	case s.End == nil:
		return "the log has no line about it"
	case s.End.Event == audit.Withdrawn:
		return clock(s.End.Time) + ", withdrawn: it got no more credentials"
	}
	return clock(s.End.Time) + ", " + string(s.End.Event) + " by " + s.End.Program
}
