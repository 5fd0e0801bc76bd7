package admin_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin"
	"rolecall/internal/creds/aws/grant"
	"rolecall/test/kit"
)

const deploys = "name=alpha,role=arn:aws:iam::111122223333:role/deploy-alpha,project=acme/shop,ref=main"

// initIn calls rolecall init with the files of a host in a folder.
func initIn(dir string, args ...string) result {
	return run("glrt-SECRET\n", append([]string{"init", "--config", dir + "/rolecall.toml", "--runner-config", dir + "/config.toml", "--drop-in", "", "--no-users"}, args...)...)
}

// TestInit: the files are written once, and what is said has no token.
func TestInit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--gitlab", "https://gitlab.example.com", "--tenant", deploys, "--runner-token-file", "-"}
	got := initIn(dir, append(args, "--dry-run")...)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 || got.code != 0 || !strings.Contains(got.out, "glrt-[MASKED]") || strings.Contains(got.out, "SECRET") {
		t.Errorf("a dry run: %+v, left %v, %v", got, left, err)
	}
	got = initIn(dir, args...)
	if got.code != 0 || strings.Contains(got.out+got.errors, "SECRET") || !strings.HasPrefix(got.out, "wrote "+dir+"/rolecall.toml\nwrote "+dir+"/config.toml\nnext:\n") {
		t.Fatalf("%+v", got)
	}
	config, err := os.ReadFile(dir + "/config.toml")
	kit.Must(t, err)
	if !strings.Contains(string(config), "glrt-SECRET") || !strings.Contains(string(config), "'--config', '"+dir+"/rolecall.toml'") {
		t.Errorf("config.toml:\n%s", config)
	}
	explained := run("", "explain", "--config", dir+"/rolecall.toml", "--job", newWorld(t).job(t, ""))
	if explained.code == 2 || strings.Contains(explained.errors, "policy file") {
		t.Errorf("the policy file is not read: %+v", explained)
	}
	if got = initIn(dir, args...); got.code != 1 || !strings.Contains(got.errors, "with this name or this token") {
		t.Errorf("again: %+v", got)
	}
}

// TestInitRefuses: nothing is written for a command line or answers that are wrong.
func TestInitRefuses(t *testing.T) {
	t.Parallel()
	const gitlab, issuer = "--gitlab", "https://gitlab.example.com"
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":       {nil, 2, "say --gitlab URL and at least one --tenant"},
		"no tenant":     {[]string{gitlab, issuer}, 2, "say --gitlab URL and at least one --tenant"},
		"no role":       {[]string{gitlab, issuer, "--tenant", "name=alpha"}, 2, `--tenant: tenant "alpha" has no role`},
		"bad name":      {[]string{gitlab, issuer, "--tenant", strings.Replace(deploys, "alpha", "../alpha", 1)}, 2, "tenant name"},
		"bad role":      {[]string{gitlab, issuer, "--tenant", "name=alpha,role=deploy,project=acme/shop"}, 1, "the answers make no policy file"},
		"bad project":   {[]string{gitlab, issuer, "--tenant", "name=alpha,role=arn:aws:iam::111122223333:role/x,project=/shop"}, 1, "the answers make no policy file"},
		"relative path": {[]string{gitlab, issuer, "--tenant", deploys, "--state", "lib"}, 2, "want an absolute path"},
		"no token":      {[]string{gitlab, issuer, "--tenant", deploys, "--runner-token-file", "/dev/null"}, 1, `"/dev/null" is empty`},
		"odd path":      {[]string{gitlab, issuer, "--tenant", deploys, "--state", "/lib\x1b[2J"}, 2, "want an absolute path that can be printed"},
		"odd drop-in":   {[]string{gitlab, issuer, "--tenant", deploys, "--drop-in", "unit.d/x.conf"}, 2, "--drop-in is"},
		"no token file": {[]string{gitlab, issuer, "--tenant", deploys, "--runner-token-file", "/none"}, 1, "the runner's token: open /none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			got := initIn(dir, c.args...)
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 || got.code != c.code || !strings.Contains(got.errors, c.says) {
				t.Errorf("%+v, want %d and %q; left %v, %v", got, c.code, c.says, left, err)
			}
		})
	}
}

// terminal returns the two ends of a terminal.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	kit.Must(t, err)
	t.Cleanup(func() { _ = master.Close() })
	kit.Must(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	kit.Must(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	kit.Must(t, err)
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

// TestInitAsks: on a terminal the program asks, and the token is not shown.
func TestInitAsks(t *testing.T) {
	t.Parallel()
	master, slave := terminal(t)
	var shown kit.Buffer
	go func() { _, _ = io.Copy(&shown, master) }()
	asked := func(what, answer string) {
		kit.Await(t, "the question "+what, func() bool { return strings.Contains(shown.String(), what) })
		_, err := master.WriteString(answer + "\n")
		kit.Must(t, err)
	}
	dir := t.TempDir()
	ended := make(chan int)
	go func() {
		args := []string{"init", "--no-users", "--drop-in", "", "--config", dir + "/rolecall.toml", "--runner-config", dir + "/config.toml"}
		ended <- admin.Program{grant.AWS{}}.Serve(args, nil, slave, slave, slave)
	}()
	asked("URL of GitLab", "https://gitlab.example.com")
	asked("audience", "")
	asked("name of a tenant", "alpha")
	asked("ARN of its role", "arn:aws:iam::111122223333:role/deploy-alpha")
	asked("its projects", "acme/shop")
	asked("its branches and tags", "main")
	asked("only protected refs?", "y")
	asked("another tenant?", "n")
	kit.Await(t, "the terminal that does not show what is typed", func() bool {
		state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
		return err == nil && state.Lflag&unix.ECHO == 0
	})
	asked("authentication token", "glrt-SECRET")
	if code := <-ended; code != 0 {
		t.Fatalf("exit code %d:\n%s", code, shown.String())
	}
	kit.Await(t, "the last line", func() bool { return strings.Contains(shown.String(), "sudo rolecall check") })
	config, err := os.ReadFile(dir + "/config.toml")
	if err != nil || !strings.Contains(string(config), "glrt-SECRET") || strings.Contains(shown.String(), "SECRET") {
		t.Errorf("%v: config.toml\n%s\nshown:\n%s", err, config, shown.String())
	}
}

// TestInitNext: the commands for the admin are those of a shell.
func TestInitNext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/a b"
	got := initIn(dir, "--gitlab", "https://gitlab.example.com/", "--tenant", deploys, "--dry-run")
	if got.code != 0 || !strings.Contains(got.out, "--url https://gitlab.example.com --executor custom --name rolecall --template-config") || !strings.Contains(got.out, "--template-config '"+dir+"/runner.toml' --token") || !strings.Contains(got.out, "issuer = 'https://gitlab.example.com'\n") {
		t.Errorf("%+v", got)
	}
}

// TestInitInterrupted: after an interrupt the terminal shows again what is typed.
func TestInitInterrupted(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) { // other tests read from terminals, too
		return
	}
	master, slave := terminal(t)
	go func() { _, _ = io.Copy(io.Discard, master) }()
	echoes := func() bool {
		state, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
		kit.Must(t, err)
		return state.Lflag&unix.ECHO != 0
	}
	var stderr kit.Buffer
	ended := make(chan int)
	go func() {
		args := []string{"init", "--no-users", "--drop-in", "", "--config", t.TempDir() + "/rolecall.toml", "--tenant", deploys, "--audience", "x"}
		ended <- admin.Program{grant.AWS{}}.Serve(append(args, "--gitlab", ""), nil, slave, slave, &stderr)
	}()
	_, err := master.WriteString("https://gitlab.example.com\n")
	kit.Must(t, err)
	kit.Await(t, "the terminal that does not show what is typed", func() bool { return !echoes() })
	kit.Must(t, unix.Kill(os.Getpid(), unix.SIGINT))
	if code := <-ended; code != 1 || !echoes() || !strings.Contains(stderr.String(), "interrupted: nothing was written") {
		t.Errorf("exit code %d, echo %v:\n%s", code, echoes(), stderr.String())
	}
}
