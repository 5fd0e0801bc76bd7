package prepare

import (
	"fmt"
	"io"
	"time"

	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/creds/store"
)

// report writes to the job log what was issued, as a section that GitLab shows
// collapsed.
//
// https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
func report(w io.Writer, folder *store.Folder, ask sts.Request, result sts.Result, tmpfs bool) error {
	const clear = "\r\x1b[0K"
	now := time.Now()
	until := result.Credentials.Expires
	text := fmt.Sprintf("section_start:%d:rolecall[collapsed=true]%sAWS credentials of tenant %s, valid until %s\n",
		now.Unix(), clear, folder.Tenant(), until.UTC().Format(time.RFC3339))
	text += fmt.Sprintf("  tenant:   %s\n  role:     %s\n  session:  %s\n  region:   %s\n  until:    %s (%v from now)\n  env file: %s\n",
		folder.Tenant(), ask.Role, ask.Session, result.Credentials.Region,
		until.UTC().Format(time.RFC3339), until.Sub(now).Round(time.Second), folder.Path())
	if result.Shortened > 0 {
		text += fmt.Sprintf("  The role does not allow sessions of %v; raise its maximum session duration if the job needs longer.\n", result.Shortened)
	}
	if !tmpfs {
		text += "  This host has no tmpfs for the env file: it is on a disk until the job ends.\n"
	}
	_, err := fmt.Fprintf(w, "%ssection_end:%d:rolecall%s\n", text, time.Now().Unix(), clear)
	return err
}
