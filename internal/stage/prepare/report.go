package prepare

import (
	"fmt"
	"io"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/state"
)

// report writes to the job log what was issued, as a section that GitLab shows
// collapsed.
//
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func report(w io.Writer, folder *state.Folder, issued creds.Set, tmpfs bool) error {
	const clear = "\r\x1b[0K"
	now := time.Now()
	var text string
	for i, c := range issued {
		title := fmt.Sprintf("%s credentials of tenant %s, valid until %s\n", strings.ToUpper(c.Provider), folder.Tenant(), c.Expires.UTC().Format(time.RFC3339))
		if i == 0 {
			title = fmt.Sprintf("section_start:%d:rolecall[collapsed=true]%s%s  tenant:   %s\n", now.Unix(), clear, title, folder.Tenant())
		}
		text += title + rows(c, now)
	}
	text += fmt.Sprintf("  env file: %s\n", folder.Path())
	if !tmpfs {
		text += "  This host has no tmpfs for the env file: it is on a disk until the job ends.\n"
	}
	_, err := fmt.Fprintf(w, "%ssection_end:%d:rolecall%s\n", text, time.Now().Unix(), clear)
	return err
}

// rows returns what may be known of a credential, in lines.
func rows(c creds.Credential, now time.Time) string {
	var text string
	for _, row := range []struct{ label, fact string }{{"role:", "role_arn"}, {"session:", "role_session_name"}, {"region:", "region"}} {
		if value := c.Facts.Get(row.fact); value != "" {
			text += fmt.Sprintf("  %-9s %s\n", row.label, value)
		}
	}
	text += fmt.Sprintf("  until:    %s (%v from now)\n", c.Expires.UTC().Format(time.RFC3339), c.Expires.Sub(now).Round(time.Second))
	if refused := c.Facts.Get("shortened_duration"); refused != "" {
		text += fmt.Sprintf("  The role does not allow sessions of %s; raise its maximum session duration if the job needs longer.\n", refused)
	}
	return text
}
