package run

import (
	"fmt"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/handover"
	"rolecall/internal/job"
)

// announce prints, before the job's script, who it is and what its author must know. GitLab
// shows what prepare prints in a folded section.
func (r running) announce(set creds.Set) {
	if !job.StageName(r.Args[1]).IsScript() {
		return
	}
	now := time.Now()
	for _, c := range set {
		if c.Provider == handover.Provider {
			r.announceTaken(c)
			continue
		}
		who, notes := r.parts.tells(c)
		_, _ = fmt.Fprintln(r.Stderr, headline(r.folder.Tenant(), who, c, now))
		for _, note := range notes {
			r.Log.Warn(note)
		}
	}
	for _, note := range r.folder.Record().Notes {
		if note.Warn {
			r.Log.Warn(note.Text)
		} else {
			r.Log.Info(note.Text)
		}
	}
}

// announceTaken says what the script has of earlier jobs.
func (r running) announceTaken(c creds.Credential) {
	if values := takenText(c); len(values) > 0 {
		r.Log.Info("handed over by earlier jobs of this pipeline: " + strings.Join(values, ", "))
	}
}

// takenText returns the names of the values, each with the job that it is from.
func takenText(c creds.Credential) (values []string) {
	for _, v := range c.Env {
		if from := c.Facts.Get(v.Name); from != "" {
			values = append(values, fmt.Sprintf("%s from %q", v.Name, from))
		}
	}
	return values
}

// tells returns what the provider of a credential tells about it.
func (p Parts) tells(c creds.Credential) (who string, notes []string) {
	for _, one := range p.Providers {
		if one.Name() == c.Provider {
			return one.Tells(c.Facts)
		}
	}
	return "", nil
}

// headline says whose credentials a script has, and until when.
func headline(tenant, who string, c creds.Credential, now time.Time) string {
	text := fmt.Sprintf("%s: tenant %s", strings.ToUpper(c.Provider), tenant)
	if c.Name != "" {
		text += fmt.Sprintf(", credentials %s", c.Name)
	}
	if who != "" {
		text += ", " + who
	}
	if c.Expires.IsZero() {
		return text
	}
	if c.Served != nil {
		return text + ", renewed while the job runs"
	}
	return text + fmt.Sprintf(", until %s UTC (%d min)", c.Expires.UTC().Format("15:04"), int(c.Expires.Sub(now).Round(time.Minute).Minutes()))
}
