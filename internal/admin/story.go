package admin

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/history"
	"rolecall/internal/audit"
)

// job says what the audit log has of a job.
func (d call) job() *cobra.Command {
	c := newCommand("job", "say what has happened to a job, by its id", nil)
	c.Long = `job prints all that the audit log has of a job, the oldest line first. Two GitLab servers may have
jobs of one id: each of them is shown.`
	a := askingFlags(c)
	return about(c, "ID", func(id string) error { return d.runJob(strings.TrimSpace(id), a) })
}

// told is the answer of job.
type told struct {
	Jobs []history.Story `json:"jobs"`
	Log  source          `json:"log"`

	id string
}

// runJob prints what the log has of the jobs of an id.
func (d call) runJob(id string, a asking) error {
	log, err := d.open(a)
	if err != nil {
		return err
	}
	defer log.Close()
	t := told{Jobs: history.Stories(log, id), id: id}
	t.Log = sourceOf(log)
	if err := d.print(t, t.String(), *a.json); err != nil {
		return err
	}
	return d.done(log, len(t.Jobs) > 0)
}

// String returns the answer for people.
func (t told) String() string {
	text := ""
	for _, s := range t.Jobs {
		text += storyText(s) + "\n"
	}
	if len(t.Jobs) == 0 {
		text = fmt.Sprintf("the log has no line about job %s\n", printable(tooLong(t.id)))
	}
	return text + t.Log.String() + "\n"
}

// storyText returns what has happened to a job for people.
func storyText(s history.Story) string {
	var l labelled
	l.job(s.Job)
	l.add("hosts", strings.Join(s.Hosts(), ", "))
	text := l.String() + "\n"
	for i, e := range s.Events {
		if s.More > 0 && i == history.Half {
			text += fmt.Sprintf("... %d lines between are not shown\n", s.More)
		}
		text += eventText(e)
	}
	return text
}

// eventText returns a line of the log for people.
func eventText(e audit.Event) string {
	indent := strings.Repeat(" ", len("2006-01-02 15:04:05  "))
	return e.Time.UTC().Format("2006-01-02 15:04:05  ") + wrap(happened(e), indent)[len(indent):]
}

// happened says in words what a line is about.
func happened(e audit.Event) string {
	switch e.Event {
	case audit.Decision, audit.Withdrawn:
		return decisionText(e)
	case audit.Issued, audit.Renewed:
		what := join(" ", string(e.Event)+":", join(" of ", e.Source, e.Provider), e.AccessKeyID, e.RoleSessionName, e.RoleARN)
		return what + ", valid until " + clock(e.Expiration) + during(e)
	case audit.Failed, audit.RevokeFailed:
		return fmt.Sprintf("%s [%s %s]: %s", words(e.Event), e.Code, e.Side, join(", ", e.Reason, e.ErrorCode, e.RequestID))
	case audit.Masked:
		return fmt.Sprintf("masked %d times%s", e.Count, during(e))
	case audit.UploadRefused, audit.CopiesRemoved, audit.CopiesLeft:
		return words(e.Event) + during(e) + ": " + join(" ", string(e.Code), placesText(e))
	case audit.Revoked:
		return "revoked: " + join(" of ", e.Source, e.Provider)
	case audit.HandedOver, audit.Taken:
		return words(e.Event) + ": " + namesText(e) + during(e)
	}
	return fmt.Sprintf("%s, by %s", words(e.Event), join(" ", e.Program, codeText(e)))
}

// decisionText says in words what a decision was.
func decisionText(e audit.Event) string {
	if e.Allowed != nil && *e.Allowed {
		return fmt.Sprintf("allowed: tenant %s, by %s%s", e.Tenant, e.Rule, imageText(e))
	}
	verb := "got nothing"
	switch {
	case e.Event == audit.Withdrawn && e.Stage != "":
		verb = "its script was ended" + during(e)
	case e.Event == audit.Withdrawn:
		verb = "gets no more credentials"
	}
	return fmt.Sprintf("%s [%s %s]: %s%s", verb, e.Code, e.Side, e.Reason, imageText(e))
}

// imageText names the image of a job.
func imageText(e audit.Event) string {
	if e.Image == "" {
		return ""
	}
	return "; image " + join(", services ", e.Image, strings.Join(e.Services, " "))
}

// namesText names the values of a line, and the jobs that they are from.
func namesText(e audit.Event) string {
	text := strings.Join(e.Names, ", ")
	if text == "" {
		text = "nothing any more"
	}
	if e.More > 0 {
		text += fmt.Sprintf(" and %d more", e.More)
	}
	if len(e.From) > 0 {
		text += " from " + strings.Join(e.From, ", ")
	}
	return text + ", by the store " + e.Store
}

// placesText names the places of a line.
func placesText(e audit.Event) string {
	var all []string
	for _, p := range e.Places {
		all = append(all, join(", ", join(" ", p.Upload, p.File, p.Inside), p.Kind, p.Reason))
	}
	if e.More > 0 {
		all = append(all, fmt.Sprintf("%d more", e.More))
	}
	return strings.Join(all, "; ")
}

// during names the stage of a line.
func during(e audit.Event) string {
	if e.Stage == "" {
		return ""
	}
	return ", in " + e.Stage
}

// codeText returns the code of a line in brackets.
func codeText(e audit.Event) string {
	if e.Code == "" {
		return ""
	}
	return "[" + string(e.Code) + "]"
}

// words returns the name of an event as words.
func words(kind audit.Kind) string { return strings.ReplaceAll(string(kind), "_", " ") }
