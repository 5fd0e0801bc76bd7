package script_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// listFDs prints the descriptors of the script's shell, as another process sees them.
const listFDs = "sh -c 'ls /proc/$PPID/fd'\n"

func TestDescriptors(t *testing.T) {
	t.Parallel()
	d, _ := run(t, listFDs+"readlink /proc/$$/fd/1 /proc/$$/fd/2\n[ -w /proc/self/fd/0 ] || echo no\n")
	lines := strings.Fields(d.stdout.String())
	if len(lines) < 5 || !slices.Equal(lines[:3], []string{"0", "1", "2"}) {
		t.Fatalf("descriptors %q, want 0, 1 and 2", lines)
	}
	if !strings.HasPrefix(lines[3], "pipe:") || !strings.HasPrefix(lines[4], "pipe:") || lines[3] == lines[4] {
		t.Errorf("stdout is %s, stderr %s, want a pipe each", lines[3], lines[4])
	}
}

// TestInheritedDescriptors: the script does not get descriptors that the driver has
// inherited.
func TestInheritedDescriptors(t *testing.T) {
	t.Parallel()
	d := newDriver(t, listFDs)
	secret, err := os.Create(d.file("of the service"))
	kit.Must(t, err)
	defer secret.Close()
	d.ExtraFiles = []*os.File{secret, secret}
	d.start(t)
	d.end(t)
	if got := strings.Fields(d.stdout.String()); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("descriptors %q, want 0, 1 and 2", got)
	}
}

// TestStdin: the script's standard input is the script, never that of the driver.
func TestStdin(t *testing.T) {
	t.Parallel()
	d := newDriver(t, ": | { read -r line || echo nothing piped; }\ncat\nthe rest of the script\n")
	d.Stdin = strings.NewReader("of the driver\n")
	d.start(t)
	d.end(t)
	if got, want := d.stdout.String(), "nothing piped\nthe rest of the script\n"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
}

// TestSignalsAreAsUsual: the script inherits no blocked or ignored signal, though the
// driver handles SIGPIPE. Signals 32 and 33 are libc's own: a program that starts the
// tests by posix_spawn, such as make, may pass them on.
func TestSignalsAreAsUsual(t *testing.T) {
	t.Parallel()
	d, _ := run(t, "grep -E 'Sig(Blk|Ign)' /proc/self/status\n")
	var blocked, ignored uint64
	if _, err := fmt.Sscanf(d.stdout.String(), "SigBlk:\t%x\nSigIgn:\t%x\n", &blocked, &ignored); err != nil {
		t.Fatalf("%v in %q", err, d.stdout.String())
	}
	const libc = 1<<31 | 1<<32
	if blocked != 0 || ignored&^libc != 0 {
		t.Errorf("signals are\n%s", d.stdout.String())
	}
}

// TestEnvironment: the script gets exactly the given environment, and nothing of the
// driver's.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	d := newDriver(t, "env -0\n")
	entries := []string{"EMPTY=", "LINES_=a\nb\n", "QUOTES='\"`$(id)\\", "LETTERS=äß", "EQUALS==a=b="}
	d.orders.Env = append(d.orders.Env, entries...)
	d.start(t)
	d.end(t)
	got := strings.Split(d.stdout.String(), "\x00")
	for _, entry := range append(entries, d.orders.Env[0]) {
		if !slices.Contains(got, entry) {
			t.Errorf("the script does not see %q", entry)
		}
	}
	for _, entry := range got {
		if strings.HasPrefix(entry, "OF_THE_DRIVER") || strings.HasPrefix(entry, order) {
			t.Errorf("the script sees the driver's %s", entry)
		}
	}
	if d.stderr.Len() > 0 {
		t.Errorf("bash complains: %s", &d.stderr)
	}
}

// TestWorkingDirectory: the script starts in Dir, with a login shell.
func TestWorkingDirectory(t *testing.T) {
	t.Parallel()
	d, _ := run(t, "pwd -P\nshopt -q login_shell && echo login\n")
	if got, want := d.stdout.String(), d.orders.Dir+"\nlogin\n"; got != want {
		t.Errorf("output %q, want %q", got, want)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	environ := []string{"A=1", "AWS_X=2", "B", "A=3", "AWS_Y", "=odd", "C=AWS_Z=1"}
	var asked []string
	got := script.Clean(environ, func(name string) bool {
		asked = append(asked, name)
		return strings.HasPrefix(name, "AWS_") || name == "B"
	})
	if want := []string{"A=1", "A=3", "=odd", "C=AWS_Z=1"}; !slices.Equal(got, want) {
		t.Errorf("kept %q, want %q", got, want)
	}
	if want := []string{"A", "AWS_X", "B", "A", "AWS_Y", "", "C"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	if environ[1] != "AWS_X=2" {
		t.Error("Clean changed what it was given")
	}
}

// TestForUser: only variables with the same meaning for every user are taken from the
// service's environment.
func TestForUser(t *testing.T) {
	t.Parallel()
	kept := []string{"PATH=/a:/b", "LANG=de_DE.UTF-8", "LC_ALL=C", "TZ=UTC", "https_proxy=http://p", "NO_PROXY=x"}
	service := append([]string{
		"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/zsh", "MAIL=/m", "XDG_RUNTIME_DIR=/run/user/0", "SUDO_USER=x",
		"DBUS_SESSION_BUS_ADDRESS=x", "SSH_AUTH_SOCK=/s", "KRB5CCNAME=x", "TMPDIR=/t", "BASH_ENV=/e", "ENV=/e",
		"BASH_FUNC_ls%%=() { :; }", "LD_PRELOAD=/x.so", "GIT_DIR=/g", "VAULT_TOKEN=x", "NOTIFY_SOCKET=/n", "AWS_PROFILE=x",
		"CREDENTIALS_DIRECTORY=/c", "PATH_=x", "LANGX=x", "=x", "", "PATHS",
	}, kept...)
	for shell, want := range map[string]string{
		"/bin/zsh": "/bin/zsh", "": "/bin/sh", "/usr/sbin/nologin": "/bin/sh", "/bin/false": "/bin/sh", "zsh": "/bin/sh",
	} {
		got := script.ForUser(service, "ci-alpha", "/home/ci-alpha", shell)
		if want := append(slices.Clone(kept), "HOME=/home/ci-alpha", "USER=ci-alpha", "LOGNAME=ci-alpha", "SHELL="+want); !slices.Equal(got, want) {
			t.Errorf("shell %q: %q, want %q", shell, got, want)
		}
	}
}
