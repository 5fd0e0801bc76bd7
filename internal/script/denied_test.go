package script_test

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// of returns the calls of a system call whose argument has this value.
func of(number, argument, value uint32) []kit.Call {
	return []kit.Call{{Number: number, Arg: argument, Mask: 1<<32 - 1, Has: value}}
}

// all returns all calls of system calls.
func all(numbers ...uint32) []kit.Call {
	var calls []kit.Call
	for _, number := range numbers {
		calls = append(calls, kit.Call{Number: number})
	}
	return calls
}

// TestDenied: a script does not run if the kernel lets the driver not take from it what it
// must not have, or not keep hold of it.
func TestDenied(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		calls []kit.Call
		want  string // of the error
	}{
		"the reaper":       {of(unix.SYS_PRCTL, 0, unix.PR_SET_CHILD_SUBREAPER), "become a subreaper: input/output error"},
		"the memory":       {of(unix.SYS_PRCTL, 0, unix.PR_SET_DUMPABLE), "close the driver's memory: input/output error"},
		"core dumps":       {of(unix.SYS_PRLIMIT64, 1, unix.RLIMIT_CORE), "turn core dumps off: input/output error"},
		"capabilities":     {all(unix.SYS_CAPGET), "drop capabilities: input/output error"},
		"the bounding set": {of(unix.SYS_PRCTL, 0, unix.PR_CAPBSET_DROP), "drop capabilities: input/output error"},
		"privileges":       {of(unix.SYS_PRCTL, 0, unix.PR_SET_NO_NEW_PRIVS), "set no_new_privs: input/output error"},
		"keys":             {all(unix.SYS_KEYCTL), "make a session keyring: input/output error"},
		"descriptors":      {all(unix.SYS_CLOSE_RANGE, unix.SYS_GETDENTS64), "/proc/self/fd: input/output error"},
		"the outputs":      {all(unix.SYS_FCHOWN), "hand over the output: input/output error"},
		"pipes":            {all(unix.SYS_PIPE2), "pipe for the script: pipe2: input/output error"},
		"a file in memory": {all(unix.SYS_MEMFD_CREATE), "prepare the script: make a file in memory: input/output error"},
		"its mode":         {all(unix.SYS_FCHMOD), "prepare the script: chmod script: input/output error"},
		"its seals":        {of(unix.SYS_FCNTL, 1, unix.F_ADD_SEALS), "prepare the script: input/output error"},
	} {
		d := newUserDriver(t, "echo the script runs\n")
		d.bounds()
		d.orders.Deny = test.calls
		d.start(t)
		if r := d.end(t)[0]; !strings.Contains(r.Err, test.want) || d.stdout.Len() > 0 {
			t.Errorf("%s: error %q, want %q; output %q", name, r.Err, test.want, &d.stdout)
		}
	}
}

// TestHalfScript: a script that does not fit in memory does not run, not even its beginning.
func TestHalfScript(t *testing.T) {
	t.Parallel()
	for _, most := range []uint64{8, 64 << 10} {
		d := newUserDriver(t, "echo the script runs\n"+strings.Repeat("# more\n", 20<<10))
		d.bounds()
		d.orders.Size = most
		d.start(t)
		if r := d.end(t)[0]; !strings.Contains(r.Err, "prepare the script: ") || !strings.Contains(r.Err, "file too large") || d.stdout.Len() > 0 {
			t.Errorf("with %d bytes: error %q, output %q", most, r.Err, &d.stdout)
		}
	}
}

// TestFewDescriptors: without descriptors no script runs.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	var errs []string
	for most := uint64(4); ; most++ {
		d := newDriver(t, "echo the script runs\n")
		d.bounds()
		d.orders.Files = most
		d.start(t)
		r := d.end(t)[0]
		if r.Err == "" {
			break
		}
		if errs = append(errs, r.Err); !strings.Contains(r.Err, "too many open files") || d.stdout.Len() > 0 || most > 50 {
			t.Fatalf("with %d descriptors: %q, output %q", most, r.Err, &d.stdout)
		}
	}
	if pipes := slices.DeleteFunc(errs, func(says string) bool { return !strings.Contains(says, "pipe for the script") }); len(pipes) < 3 { // the first pipe lacks one or two, the second as well
		t.Errorf("of the pipes, each with two descriptors: %q", pipes)
	}
}

// TestStartDenied: no program of the driver starts if it would get the driver's open files, or
// would be one of root's where it must be one of a user.
func TestStartDenied(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	start := func(as *script.User) (*exec.Cmd, error) {
		cmd := exec.Command("true")
		return cmd, script.Start(cmd, as, nil)
	}
	if cmd, err := start(&script.User{UID: 0, GID: 64124}); err == nil || !strings.Contains(err.Error(), "must not be root") || cmd.Process != nil {
		t.Errorf("as root: error %v, process %v", err, cmd.Process)
	}
	cmd, err := start(nil)
	kit.Must(t, errors.Join(err, cmd.Wait()))
	kit.Must(t, kit.Deny(unix.EIO, all(unix.SYS_CLOSE_RANGE, unix.SYS_GETDENTS64)...))
	if cmd, err := start(nil); !errors.Is(err, unix.EIO) || cmd.Process != nil {
		t.Errorf("with open files: error %v, process %v", err, cmd.Process)
	}
}
