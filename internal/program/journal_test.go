package program_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/journal"
	"rolecall/internal/program"
	"rolecall/test/kit"
)

// lines runs a stage of job 7 that has the secret of key, and returns what its journal got.
func lines(t *testing.T, run func(*program.Call) error) string {
	t.Helper()
	dir := t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(dir, "response"), []byte(`{"id": 7, "token": "t"}`), 0o600))
	next := kit.Listen(t, filepath.Join(dir, "socket"))
	p := program.Program{Name: "stage", Journal: journal.Log{Journal: filepath.Join(dir, "socket")}, Run: func(c *program.Call) error {
		return errors.Join(c.Mask(key("secret-1")), run(c))
	}}
	serveProgram(p, []string{"JOB_RESPONSE_FILE=" + filepath.Join(dir, "response")})
	var all string
	for line := next(); line != ""; line = next() {
		all += strings.ReplaceAll(line, "SYSLOG_IDENTIFIER=rolecall\n", "")
	}
	return all
}

// TestJournal: the host's log has each warning and the error, with what belongs to them and
// without secrets, and nothing else that a stage says.
func TestJournal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		run  func(*program.Call) error
		want string
	}{
		"nothing": {func(c *program.Call) error { c.Log.Info("secret-1"); return nil }, ""},
		"script":  {func(*program.Call) error { return program.ScriptError(3) }, ""},
		"a text":  {func(c *program.Call) error { c.Log.Warn("a secret-1"); return nil }, "MESSAGE=a [MASKED]\nPRIORITY=4\nJOB_ID=7\n"},
		"a warning": {
			func(c *program.Call) error {
				c.For("alpha")
				c.Warn(fault.New(fault.BadAuditLog, errors.New("x"), "y"))
				return nil
			},
			"MESSAGE=x; y\nPRIORITY=4\nJOB_ID=7\nTENANT=alpha\nCODE=RC308\n",
		},
		"plain":  {ends(errors.New("x secret-1")), "MESSAGE=x [MASKED]\nPRIORITY=3\nJOB_ID=7\nCODE=RC500\n"},
		"admin":  {ends(fault.New(fault.BadPolicy, errors.New("x"), "")), "MESSAGE=x\nPRIORITY=3\nJOB_ID=7\nCODE=RC303\n"},
		"author": {ends(fault.New(fault.Refused, errors.New("x"), "")), "MESSAGE=x\nPRIORITY=5\nJOB_ID=7\nCODE=RC103\n"},
		"aws":    {ends(fault.New(fault.AccessDenied, errors.New("x"), "")), "MESSAGE=x\nPRIORITY=5\nJOB_ID=7\nCODE=RC203\n"},
		"panic":  {func(*program.Call) error { panic("secret-1") }, "MESSAGE=panic in stage: [MASKED]\nPRIORITY=3\nJOB_ID=7\nCODE=RC500\n"},
	} {
		if got := lines(t, test.run); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestJournalOfHost: a stage that runs as a process writes to the journal of the host.
func TestJournalOfHost(t *testing.T) {
	if !kit.InMounts(t, "the journal's socket") {
		return
	}
	kit.Mount(t, "/run", "", 0)
	kit.Must(t, os.MkdirAll("/run/systemd/journal", 0o755))
	next := kit.Listen(t, "/run/systemd/journal/socket")
	self, err := os.Executable()
	kit.Must(t, err)
	command := exec.CommandContext(t.Context(), self)
	command.Env = []string{childVariable + "=fails"}
	if err := command.Run(); err == nil {
		t.Error("the stage has not failed")
	}
	if got := next(); !strings.HasPrefix(got, "MESSAGE=it fails\n") {
		t.Errorf("the journal has %q", got)
	}
}
