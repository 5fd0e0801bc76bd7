package script_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestExitCodes: every exit code is returned unchanged.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	var texts []string
	for code := range 256 {
		texts = append(texts, fmt.Sprintf("exit %d\n", code))
	}
	d := newDriver(t, texts...)
	d.start(t)
	for code, r := range d.end(t) {
		if r.Code != code || r.Err != "" {
			t.Errorf("exit %d: code %d, error %q", code, r.Code, r.Err)
		}
	}
	if d.stdout.Len()+d.stderr.Len() > 0 {
		t.Errorf("scripts that print nothing printed %s%s", &d.stdout, &d.stderr)
	}
}

// TestFatalSignals: a script that signal n ends has code 128+n. Bash ignores some
// signals, so another shell takes its place.
func TestFatalSignals(t *testing.T) {
	t.Parallel()
	signals := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 34, 50, 64}
	var texts []string
	for _, n := range signals {
		texts = append(texts, fmt.Sprintf("ulimit -c 0\nexec sh -c 'kill -%d $$; sleep 5'\n", n))
	}
	d := newDriver(t, texts...)
	d.start(t)
	for i, r := range d.end(t) {
		if want := 128 + signals[i]; r.Code != want || r.Err != "" {
			t.Errorf("kill -%d: code %d, error %q, want %d", signals[i], r.Code, r.Err, want)
		}
	}
}

// TestOddEnds: the code is bash's own, whatever its descendants do.
func TestOddEnds(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want int
	}{
		{"", 0},
		{"false", 1},
		{"exec false\n", 1},
		{"exit 256\n", 0},
		{"exit -1\n", 255},
		{"no-such-command\n", 127},
		{"/etc/passwd\n", 126},
		{"kill -9 $$\n", 137},
		{"kill -TERM $$; sleep 5\n", 143},
		{"sh -c 'kill -9 $$'\n", 137},
		{"set -e; set -o pipefail; sh -c 'exit 7' | cat; exit 3\n", 7},
		{"(exit 7 &); (exit 8) & sleep 0.1; exit 3\n", 3},
		{"setsid sh -c 'exit 9' & sleep 0.1; exit 4\n", 4},
		{"exec 0<&- 1>&- 2>&-; exit 5\n", 5},
		{"exec 1>&- 2>&-\nexit 6\n", 6},
		{"trap 'exit 11' EXIT\n", 11},
		{"if then\n", 2},
	}
	var texts []string
	for _, test := range tests {
		texts = append(texts, test.text)
	}
	d := newDriver(t, texts...)
	d.start(t)
	for i, r := range d.end(t) {
		if r.Code != tests[i].want || r.Err != "" {
			t.Errorf("%q: code %d, error %q, want %d", tests[i].text, r.Code, r.Err, tests[i].want)
		}
	}
}

// TestDoesNotRun: if a script cannot run, the error names the reason.
func TestDoesNotRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(d *driver)
		want   string
	}{
		"no script":        {func(d *driver) { d.orders.Scripts[0] += ".none" }, "script0.none: no such file or directory"},
		"no folder":        {func(d *driver) { d.orders.Dir = "/none/such" }, "/none/such"},
		"a file as folder": {func(d *driver) { d.orders.Dir = "/etc/passwd" }, "/etc/passwd"},
		"no bash":          {func(d *driver) { d.path = "/none" }, `"bash": executable file not found`},
		"NUL":              {func(d *driver) { d.orders.Env = append(d.orders.Env, "A=\x00B") }, "invalid argument"},
		"too much": {func(d *driver) {
			for i := range 30 {
				d.orders.Env = append(d.orders.Env, fmt.Sprintf("A%d=%s", i, strings.Repeat("x", 120<<10)))
			}
		}, "argument list too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, "echo it ran\n")
			test.change(d)
			d.start(t)
			r := d.end(t)[0]
			if !strings.Contains(r.Err, test.want) {
				t.Errorf("error %q, want one with %q", r.Err, test.want)
			}
			if d.stdout.Len() > 0 || r.Took > 3*time.Second {
				t.Errorf("after %v the output is %s", r.Took, &d.stdout)
			}
		})
	}
}
