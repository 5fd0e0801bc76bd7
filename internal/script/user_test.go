package script_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/script"
	"rolecall/test/kit"
)

// tenant is a user that the host does not have.
func tenant() *script.User {
	return &script.User{UID: 64123, GID: 64124, Groups: []uint32{64124, 64125}}
}

// newUserDriver returns a driver that runs these scripts as tenant, in a folder that
// belongs to tenant.
func newUserDriver(t *testing.T, texts ...string) *driver {
	t.Helper()
	kit.NeedRoot(t, "scripts of another user")
	d := newDriver(t, texts...)
	d.orders.User = tenant()
	kit.Must(t, os.Chmod(filepath.Dir(d.orders.Dir), 0o711))
	kit.Must(t, os.Chown(d.orders.Dir, int(tenant().UID), int(tenant().GID)))
	return d
}

// copyTo copies this test program into the script's folder, with this mode.
func (d *driver) copyTo(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	kit.Must(t, err)
	defer self.Close()
	file, err := os.OpenFile(d.file(name), os.O_CREATE|os.O_WRONLY, 0o700)
	kit.Must(t, err)
	_, err = io.Copy(file, self)
	kit.Must(t, err)
	kit.Must(t, file.Close())
	kit.Must(t, os.Chmod(d.file(name), mode))
}

// output runs the driver's only script, which must exit with 0, and returns its output.
func (d *driver) output(t *testing.T) string {
	t.Helper()
	d.start(t)
	if r := d.end(t)[0]; r.Code != 0 || r.Err != "" {
		t.Errorf("code %d, error %q", r.Code, r.Err)
	}
	return d.stdout.String()
}

// TestUser: all ids are the user's, the groups are exact, and the script gets nothing
// of root's.
func TestUser(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, "grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs):' /proc/$$/status\numask\n"+
		"ulimit -Hc\ncat /proc/$$/loginuid >/dev/null; ls -ldn made | cut -d' ' -f1,3,4\n")
	d.orders.Scripts = slices.Repeat(d.orders.Scripts, 2) // a driver is spoilt for nothing by the first
	kit.Must(t, os.WriteFile(d.orders.Scripts[0], append([]byte("mkdir -p made\n"), readFile(t, d.orders.Scripts[0])...), 0o600))
	d.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Groups: []uint32{0, 4, 27}},
		AmbientCaps: []uintptr{unix.CAP_CHOWN, unix.CAP_SETPCAP, unix.CAP_KILL, unix.CAP_CHECKPOINT_RESTORE},
	}
	want := `Uid:	64123	64123	64123	64123
Gid:	64124	64124	64124	64124
Groups:	64124 64125 
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	0000000000000000
CapAmb:	0000000000000000
NoNewPrivs:	1
0077
0
drwx------ 64123 64124
`
	if got := d.output(t); got != want+want {
		t.Errorf("the script sees\n%swant twice\n%s", got, want)
	}
}

// readFile returns what is in a file.
func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	kit.Must(t, err)
	return content
}

// TestUserHasNoGroups: a user without groups keeps none of the driver's.
func TestUserHasNoGroups(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, "grep Groups /proc/self/status\n")
	d.orders.User.Groups = nil
	d.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{0, 4}}}
	if got := d.output(t); strings.TrimSpace(got) != "Groups:" {
		t.Error(got)
	}
}

// TestUserDescriptors: the script has descriptors 0, 1 and 2, and can open them by all
// their names.
func TestUserDescriptors(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, listFDs+"echo a >/dev/stdout; echo b >/dev/stderr; echo c | tee /dev/stderr\necho d >/proc/self/fd/1\n"+
		"echo e | cat /dev/stdin; tty\n:")
	secret, err := os.Create(d.file("of the service"))
	kit.Must(t, err)
	defer secret.Close()
	d.ExtraFiles = []*os.File{secret, secret}
	if got := strings.Fields(d.output(t)); !slices.Equal(got, strings.Fields("0 1 2 a c d e not a tty")) {
		t.Errorf("standard output %q", got)
	}
	if got := d.stderr.String(); got != "b\nc\n" {
		t.Errorf("standard error %q", got)
	}
}

// TestUserEnds: exit codes, left processes, SIGTERM and the grace are the same as
// without a user.
func TestUserEnds(t *testing.T) {
	t.Parallel()
	texts := map[string]int{
		"exit 0\n": 0, "exit 255\n": 255, "kill -9 $$\n": 137, "kill -SEGV $$\n": 139, "no-such-command\n": 127,
		"setsid -f sh -c 'trap \"\" TERM HUP; while :; do sleep 1000; done'; setsid sleep 1000 & exit 3\n": 3,
	}
	for text, want := range texts {
		d := newUserDriver(t, text)
		d.start(t)
		if r := d.end(t)[0]; r.Code != want || r.Err != "" {
			t.Errorf("%q: code %d, error %q, want %d", text, r.Code, r.Err, want)
		}
	}
	d := newUserDriver(t, "trap '' TERM\n: >ready\nsleep 100\n")
	d.orders.Grace = 100 * time.Millisecond
	d.start(t)
	d.await(t, "ready")
	d.terminate(t)
	if r := d.end(t)[0]; r.Code != 137 || r.Took > 5*time.Second {
		t.Errorf("code %d after %v", r.Code, r.Took)
	}
}

// TestUserDriverIsKilled: the death signal survives the change of the user.
func TestUserDriverIsKilled(t *testing.T) {
	t.Parallel()
	newUserDriver(t, untilKilled).dieBeforeBash(t)
}

// TestUserFolder: the script starts in / if the user cannot enter Dir.
func TestUserFolder(t *testing.T) {
	t.Parallel()
	closed := t.TempDir()
	kit.Must(t, os.Chmod(closed, 0o700))
	for dir, want := range map[string]string{closed: "/\n", "/none/such": "/\n", "/etc/passwd": "/\n", "/usr": "/usr\n"} {
		d := newUserDriver(t, "pwd\n")
		d.orders.Dir = dir
		if got := d.output(t); got != want {
			t.Errorf("in %s the script is in %q, want %q", dir, got, want)
		}
	}
}

// TestUserWithoutCapabilities: a driver that is root, but lacks the capability to take
// something from the script or to hand something to it, runs no script.
func TestUserWithoutCapabilities(t *testing.T) {
	t.Parallel()
	for capability, want := range map[string]string{
		"setpcap": "drop capabilities: operation not permitted",
		"chown":   "hand over the output: operation not permitted",
		"setuid":  "operation not permitted",
	} {
		d := newUserDriver(t, "echo the script runs\n")
		setpriv, err := exec.LookPath("setpriv")
		kit.Must(t, err)
		d.Args = []string{setpriv, "--bounding-set=-" + capability, "--inh-caps=-" + capability, d.Path}
		d.Path = setpriv
		d.start(t)
		if r := d.end(t)[0]; !strings.Contains(r.Err, want) || d.stdout.Len() > 0 {
			t.Errorf("without %s: error %q, want %q; output %q", capability, r.Err, want, &d.stdout)
		}
	}
}

// TestLeft: what cannot be killed does not hold the driver for ever, and is named.
func TestLeft(t *testing.T) {
	t.Parallel()
	d := newUserDriver(t, "setsid -f sleep 1000 <&- >&- 2>&-\n")
	setpriv, err := exec.LookPath("setpriv")
	kit.Must(t, err)
	d.Path, d.Args = setpriv, []string{setpriv, "--bounding-set=-kill", "--inh-caps=-kill", d.Path}
	d.start(t)
	if r := d.reports(t)[0]; len(r.Left) != 1 || len(r.Alive) != 1 || r.Left[0] != r.Alive[0].ID || r.Err != "" {
		t.Errorf("%+v, want one process that is left", r)
	}
}
