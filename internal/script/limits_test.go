package script_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// hardAndSoft is a script that prints the limits that Limits has.
const hardAndSoft = "for o in n u v; do ulimit -H$o; ulimit -S$o; done | paste -sd' '\n"

// TestLimits: the limits apply to the user's profile already, and cannot be raised.
func TestLimits(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, hardAndSoft+"ulimit -n 300 2>/dev/null || echo kept\n")
	kit.Must(t, os.WriteFile(d.file(".bash_profile"), []byte("echo profile; "+hardAndSoft), 0o644))
	d.orders.Limits = script.Limits{OpenFiles: 200, Processes: 3000, AddressSpace: 4 << 20}
	const limits = "200 200 3000 3000 4194304 4194304\n"
	if got, want := d.output(t), "profile\n"+limits+limits+"kept\n"; got != want {
		t.Errorf("limits\n%swant\n%s", got, want)
	}
}

// TestProcessesAlone: a limit on processes alone is inherited, and the script cannot raise
// it.
func TestProcessesAlone(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, hardAndSoft+"ulimit -u 4000 2>/dev/null || echo kept\n")
	plain := newUserDriver(t, hardAndSoft)
	fields := strings.Fields(plain.output(t))
	d.orders.Limits = script.Limits{Processes: 3000}
	fields[2], fields[3] = "3000", "3000"
	if got, want := d.output(t), strings.Join(fields, " ")+"\nkept\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSomeLimits: a limit of 0 is the driver's own.
func TestSomeLimits(t *testing.T) {
	t.Parallel()
	before, _ := run(t, hardAndSoft)
	fields := strings.Fields(before.stdout.String())
	d := newDriver(t, hardAndSoft)
	d.orders.Limits = script.Limits{OpenFiles: 201}
	fields[0], fields[1] = "201", "201"
	if got, want := d.output(t), strings.Join(fields, " ")+"\n"; got != want {
		t.Errorf("limits %swant %s", got, want)
	}
}

// TestLimitsThatAreTooHigh: the driver's lower limits stay.
func TestLimitsThatAreTooHigh(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, "ulimit -Hn\n")
	before := newUserDriver(t, "ulimit -Hn\n").output(t)
	var n uint64
	if _, err := fmt.Sscan(before, &n); err != nil {
		t.Skipf("NOT TESTED: open files have no limit here, %q", before)
	}
	d.orders.Limits = script.Limits{OpenFiles: n + 1}
	if got := d.output(t); got != before || d.stderr.Len() > 0 {
		t.Errorf("limit %swant %s%s", got, before, &d.stderr)
	}
}

// TestLimitsChangeNothingElse: with limits the shell has the same environment,
// arguments and options.
func TestLimitsChangeNothingElse(t *testing.T) {
	t.Parallel()
	const look = "env -0 | sort -z; tr '\\0' ' ' </proc/$$/cmdline; echo \"$0 $- $# $BASHOPTS $SHELLOPTS\"; readlink /proc/$$/exe\n" +
		"trap -p; set | grep -vE '^(_|PPID|BASHPID|RANDOM|SRANDOM|SECONDS|EPOCH.*|BASH_LINENO|PIPESTATUS)='; declare -F; exit 7\n"
	plain, limited := newDriver(t, look), newDriver(t, look)
	plain.orders.Env = append(plain.orders.Env, "BASH_ENV=/none/such", "ENV=/none/such", "SHLVL=4", "ODD-NAME=1",
		"BASH_FUNC_exec%%=() { echo hijacked; }", "BASH_FUNC_ulimit%%=() { echo hijacked; }", "LINES_=a\nb")
	limited.orders.Env, limited.orders.Dir = plain.orders.Env, plain.orders.Dir
	limited.orders.Limits = script.Limits{OpenFiles: 1 << 12}
	for _, d := range []*driver{plain, limited} {
		d.start(t)
		if r := d.end(t)[0]; r.Code != 7 || r.Err != "" {
			t.Errorf("code %d, error %q", r.Code, r.Err)
		}
	}
	if limited.stdout.String() != plain.stdout.String() || limited.stderr.String() != plain.stderr.String() {
		t.Errorf("with limits:\n%s%s\nwithout:\n%s%s", &limited.stdout, &limited.stderr, &plain.stdout, &plain.stderr)
	}
}
