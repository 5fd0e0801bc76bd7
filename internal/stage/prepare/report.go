package prepare

import (
	"fmt"
	"io"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/store"
)

// report writes to the job log what was issued, as a section that GitLab shows
// collapsed.
//
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func report(w io.Writer, folder *store.Folder, issued creds.Credential, tmpfs bool) error {
	const clear = "\r\x1b[0K"
	now := time.Now()
	until := issued.Expires
	text := fmt.Sprintf("section_start:%d:rolecall[collapsed=true]%sAWS credentials of tenant %s, valid until %s\n",
		now.Unix(), clear, folder.Tenant(), until.UTC().Format(time.RFC3339))
	text += fmt.Sprintf("  tenant:   %s\n  role:     %s\n  session:  %s\n  region:   %s\n  until:    %s (%v from now)\n  env file: %s\n",
		folder.Tenant(), issued.Facts.Get(aws.RoleFact), issued.Facts.Get(aws.SessionFact), issued.Facts.Get(aws.RegionFact),
		until.UTC().Format(time.RFC3339), until.Sub(now).Round(time.Second), folder.Path())
	if refused := issued.Facts.Get(aws.ShortenedFact); refused != "" {
		text += fmt.Sprintf("  The role does not allow sessions of %s; raise its maximum session duration if the job needs longer.\n", refused)
	}
	if !tmpfs {
		text += "  This host has no tmpfs for the env file: it is on a disk until the job ends.\n"
	}
	_, err := fmt.Fprintf(w, "%ssection_end:%d:rolecall%s\n", text, time.Now().Unix(), clear)
	return err
}
