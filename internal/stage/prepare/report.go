package prepare

import (
	"fmt"
	"io"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/state"
)

// report lists the issued credentials in the job log, in a section that GitLab shows
// collapsed. It prints no secret.
//
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func (p Parts) report(w io.Writer, folder *state.Folder, issued creds.Set, tmpfs bool) error {
	const clear = "\r\x1b[0K"
	now := time.Now()
	var text string
	for i, c := range issued {
		title := fmt.Sprintf("%s credentials of tenant %s, %s\n", strings.ToUpper(c.Provider), folder.Tenant(), validity(c))
		if i == 0 {
			title = fmt.Sprintf("section_start:%d:rolecall[collapsed=true]%s%s  tenant:   %s\n", now.Unix(), clear, title, folder.Tenant())
		}
		text += title + table(c, p.reportOf(c), now)
	}
	text += fmt.Sprintf("  env file: %s\n", folder.Path())
	if !tmpfs {
		text += "  This host has no tmpfs for the env file: the file is on a disk until the job ends.\n"
	}
	_, err := fmt.Fprintf(w, "%ssection_end:%d:rolecall%s\n", text, time.Now().Unix(), clear)
	return err
}

// validity says how long a credential is valid.
func validity(c creds.Credential) string {
	if c.Expires.IsZero() {
		return "which do not expire"
	}
	return "valid until " + c.Expires.UTC().Format(time.RFC3339)
}

// table returns what may be known of a credential, in lines.
func table(c creds.Credential, r creds.Report, now time.Time) string {
	var text string
	for _, row := range r.Rows {
		if row.Value != "" {
			text += fmt.Sprintf("  %-9s %s\n", row.Label+":", row.Value)
		}
	}
	if !c.Expires.IsZero() {
		text += fmt.Sprintf("  until:    %s (%v from now)\n", c.Expires.UTC().Format(time.RFC3339), c.Expires.Sub(now).Round(time.Second))
	}
	if apart := c.Apart(); len(apart) > 0 {
		r.Notes = append(r.Notes, "Not in the env file, but in the environment of scripts: "+strings.Join(apart, ", ")+". Readers of env files would not read their values alike.")
	}
	for _, note := range r.Notes {
		text += "  " + note + "\n"
	}
	return text
}
