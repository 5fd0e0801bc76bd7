package admin

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/history"
	"rolecall/internal/audit/reading"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
)

// asking are the flags of a command that asks an audit log.
type asking struct {
	config, log *string
	json        *bool
}

// askingFlags defines the flags of a command that asks an audit log.
func askingFlags(c *cobra.Command) asking {
	return asking{policyFlag(c), logFlag(c), jsonFlag(c)}
}

// logFlag defines the flag that names an audit log.
func logFlag(c *cobra.Command) *string {
	return c.Flags().String("log", "", "audit log `FILE`, with its rotated files (default: the audit_log of the policy file)")
}

// about makes a command take one argument, which is what it is about.
func about(c *cobra.Command, name string, run func(text string) error) *cobra.Command {
	c.Use += " " + name
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return usageError{fmt.Errorf("say one %s", name)}
		}
		return nil
	}
	c.RunE = func(_ *cobra.Command, args []string) error { return run(args[0]) }
	return c
}

// open opens the audit log that the flags name, else that of the policy file.
func (d call) open(a asking) (*reading.Log, error) {
	path := *a.log
	if path == "" {
		policy, err := d.readPolicy(program.Flags{Config: *a.config})
		if err != nil {
			return nil, fmt.Errorf("%w; --log FILE names an audit log without a policy file", err)
		}
		return openOf(policy)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	return opened(path)
}

// openOf opens the audit log of a policy file.
func openOf(policy *tenant.Policy) (*reading.Log, error) {
	path := policy.Settings().AuditLog
	if path == "" {
		return nil, errors.New("the policy file names no audit_log, so nothing is known of jobs; set audit_log, or name a log by --log")
	}
	return opened(path)
}

// opened opens the audit log at path.
func opened(path string) (*reading.Log, error) {
	log, err := reading.Open(path)
	if err != nil {
		return nil, fmt.Errorf("audit log %s: %w", path, err)
	}
	return log, nil
}

// source says what an answer rests on.
type source struct {
	Since  time.Time      `json:"log_since,omitzero"` // of the oldest line; zero: the log is empty
	Unread reading.Unread `json:"unread"`
}

// sourceOf returns what the answer rests on that was read last.
func sourceOf(log *reading.Log) source {
	unread := log.Unread() // history.Begins reads anew
	return source{history.Begins(log), unread}
}

// String says how far the log goes back, and how many of its lines could not be read.
func (s source) String() string {
	text := "the log is empty"
	if !s.Since.IsZero() {
		text = "the log goes back to " + clock(s.Since)
	}
	if n := s.Unread.Lines(); n > 0 {
		text += fmt.Sprintf("\n%d lines of it could not be read: %d cut, %d foreign, %d of a newer version", n, s.Unread.Cut, s.Unread.Foreign, s.Unread.Newer)
	}
	return text
}

// done tells of files that could not be read, and fails if the answer is no.
func (d call) done(log *reading.Log, found bool) error {
	if err := log.Err(); err != nil {
		return fmt.Errorf("the answer may lack lines: %w", err)
	}
	if !found {
		return errSick
	}
	return nil
}
