package admin_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin"
	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// some are findings of each kind, in no order.
func some() []check.Finding {
	long := strings.Repeat("/a-long-name", 12)
	return []check.Finding{
		{Area: "clock", What: "this host is +0 s from gitlab.example.com", State: check.OK},
		{ID: "CK85", Area: "host", What: "fs.protected_symlinks is off", State: check.Look, Do: "turn it on", Commands: []string{"sysctl -w fs.protected_symlinks=1", "echo " + strings.Repeat("word ", 30)}},
		{ID: "CK12", Area: "policy file", What: "/etc/rolecall/rolecall.toml has mode 0666, so others may write to it", State: check.Fix, Do: "chmod go-w /etc/rolecall/rolecall.toml", Commands: []string{"chmod go-w /etc/rolecall/rolecall.toml"}},
		{ID: "CK110", Area: "images_dir", What: long + " is " + strings.Repeat("wrong ", 20), State: check.Fix, Do: "correct it " + strings.Repeat("now ", 30)},
	}
}

// TestBlocks: the worst comes first, what can be pasted stands on lines of its own, and what is
// fine is a number.
func TestBlocks(t *testing.T) {
	t.Parallel()
	got, _ := admin.Blocks(some(), false)
	for _, want := range []string{
		`to fix
  CK12  policy file  /etc/rolecall/rolecall.toml has mode 0666, so others may write to it
        chmod go-w /etc/rolecall/rolecall.toml
  CK110  images_dir
         /a-long-name`, `
to look at
  CK85  host  fs.protected_symlinks is off
        turn it on:
        sysctl -w fs.protected_symlinks=1
        echo ` + strings.Repeat("word ", 30) + `

2 to fix, 1 to look at, 1 fine
`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no\n%s\nin\n%s", want, got)
		}
	}
	for line := range strings.Lines(got) {
		if len(line) > 101 && !strings.Contains(line, "/a-long-name") && !strings.Contains(line, "echo word") {
			t.Errorf("a line has %d columns:\n%s", len(line)-1, line)
		}
	}
	if strings.Contains(got, "\x1b") || strings.Contains(got, "clock") {
		t.Errorf("there are colours, or what is fine:\n%s", got)
	}
	if got, _ := admin.Blocks(some(), true); !strings.Contains(got, "\nfine\n  clock  this host is +0 s from gitlab.example.com\n\n2 to fix") {
		t.Errorf("nothing is fine in\n%s", got)
	}
}

// TestExitCode: a script can tell what is to fix from what is only to look at.
func TestExitCode(t *testing.T) {
	t.Parallel()
	all := some()
	for want, findings := range map[int][]check.Finding{0: all[:1], 1: all, 3: all[:2]} {
		if text, code := admin.Blocks(findings, false); code != want {
			t.Errorf("exit code %d, want %d:\n%s", code, want, text)
		}
	}
}

// TestColours: only a terminal whose user wants them gets colours.
func TestColours(t *testing.T) {
	t.Parallel()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	kit.Must(t, err)
	defer func() { _ = master.Close() }()
	kit.Must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	kit.Must(t, err)
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	kit.Must(t, err)
	defer func() { _ = terminal.Close() }()
	for environ, want := range map[string]bool{"TERM=xterm": true, "NO_COLOR=": true, "NO_COLOR=1": false, "TERM=dumb": false} {
		admin.PrintTo(terminal, []string{environ}, some()[2:3])
		if got := readAll(t, master, "1 to fix, 0 to look at, 0 fine"); strings.Contains(got, "\x1b[31;1mto fix\x1b[0m") != want || strings.Contains(got, "  \x1b[1mCK12\x1b[0m  policy file") != want {
			t.Errorf("with %s: %q", environ, got)
		}
	}
}

// readAll reads from a terminal until there is the last line.
func readAll(t *testing.T, master *os.File, last string) string {
	t.Helper()
	var got strings.Builder
	for piece := make([]byte, 1024); !strings.Contains(got.String(), last); {
		n, err := master.Read(piece)
		kit.Must(t, err)
		got.Write(piece[:n])
	}
	return got.String()
}
