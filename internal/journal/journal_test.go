package journal_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"rolecall/internal/journal"
	"rolecall/test/kit"
)

// full returns a line with all fields.
func full() journal.Line {
	return journal.Line{Priority: journal.Error, Message: "audit log: full", Job: "7", Tenant: "alpha", Code: "RC308"}
}

// TestNative: a line is what the protocol of journald wants, each field once.
func TestNative(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	next := kit.Listen(t, path)
	for name, test := range map[string]struct {
		line journal.Line
		want string
	}{
		"all": {full(), "MESSAGE=audit log: full\nPRIORITY=3\nSYSLOG_IDENTIFIER=rolecall\nJOB_ID=7\nTENANT=alpha\nCODE=RC308\n"},
		"little": {
			journal.Line{Priority: journal.Warning, Message: "look"},
			"MESSAGE=look\nPRIORITY=4\nSYSLOG_IDENTIFIER=rolecall\n",
		},
		"lines": {
			journal.Line{Priority: journal.Notice, Message: "a\nJOB_ID=8\n", Job: "7"},
			"MESSAGE\n" + string(binary.LittleEndian.AppendUint64(nil, 11)) + "a\nJOB_ID=8\n\nPRIORITY=5\nSYSLOG_IDENTIFIER=rolecall\nJOB_ID=7\n",
		},
		"not UTF-8": {journal.Line{Message: "a\xffb"}, "MESSAGE=a\uFFFDb\nPRIORITY=0\nSYSLOG_IDENTIFIER=rolecall\n"},
	} {
		journal.Log{Journal: path}.Write(test.line)
		if got := next(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// TestSyslog: without a journal the line goes to syslog, as one line.
func TestSyslog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	next := kit.Listen(t, path)
	line := full()
	line.Message = "two\nlines \x1b[31m"
	journal.Log{Journal: path + ".none", Syslog: path}.Write(line)
	want := fmt.Sprintf(`^<27>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d rolecall\[%d\]: two lines  \[31m job=7 tenant=alpha code=RC308$`, os.Getpid())
	if got := next(); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("%q, want %s", got, want)
	}
}

// TestOnce: a line that the journal has taken does not go to syslog too.
func TestOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	native, syslog := kit.Listen(t, dir+"/native"), kit.Listen(t, dir+"/syslog")
	journal.Log{Journal: dir + "/native", Syslog: dir + "/syslog"}.Write(full())
	if got, other := native(), syslog(); got == "" || other != "" {
		t.Errorf("the journal has %q, syslog %q", got, other)
	}
}

// TestNobody: where nobody takes a line, nothing happens.
func TestNobody(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	kit.Must(t, os.WriteFile(file, nil, 0o600))
	for _, log := range []journal.Log{{}, {Journal: file, Syslog: file}, {Journal: strings.Repeat("x", 200)}, {Journal: file + ".none"}} {
		log.Write(full())
	}
	if content, err := os.ReadFile(file); err != nil || len(content) > 0 {
		t.Errorf("a file has %q, %v", content, err)
	}
}

// TestFull: a daemon that does not read keeps nobody waiting.
func TestFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	_ = kit.Listen(t, path)
	begin := time.Now()
	for range 2000 {
		journal.Log{Journal: path, Syslog: path}.Write(full())
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("2000 lines took %v", took)
	}
}

// TestLong: a message that is too long is cut, and comes.
func TestLong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "socket")
	next := kit.Listen(t, path)
	journal.Log{Journal: path}.Write(journal.Line{Message: "x" + strings.Repeat("ä", 1<<20)})
	got := next()
	if !strings.HasPrefix(got, "MESSAGE=xä") || !strings.Contains(got, "ää…\nPRIORITY") || len(got) > 20<<10 {
		t.Errorf("%d bytes: %.50q", len(got), got)
	}
}

// TestOfHost: the log of the host is where systemd has it.
func TestOfHost(t *testing.T) {
	if !kit.InMounts(t, "the journal's socket") {
		return
	}
	kit.Mount(t, "/run", "", 0)
	kit.Must(t, os.MkdirAll("/run/systemd/journal", 0o755))
	next := kit.Listen(t, "/run/systemd/journal/socket")
	journal.OfHost().Write(full())
	if got := next(); !strings.HasPrefix(got, "MESSAGE=audit log: full\n") {
		t.Errorf("the journal has %q", got)
	}
}
