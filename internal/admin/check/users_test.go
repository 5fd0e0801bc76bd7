package check_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// ownUsers says that this process has an /etc/passwd of its own, and where the test's
// folder is.
const ownUsers = "CHECK_OWN_USERS"

// TestUsers checks users of all kinds, in a process with an /etc/passwd and
// /etc/group of its own, and with no cgroup that it can write to.
func TestUsers(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(ownUsers); dir != "" {
		checkOwnUsers(t)
		return
	}
	kit.NeedRoot(t, "users of a namespace")
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	passwd := "root:x:0:0::/root:/bin/sh\nlist:x:38:38::/none:/bin/sh\n"
	for i, name := range []string{"good", "away", "strong", "open", "foreign", "second", "other", "twice", "twin"} {
		home := filepath.Join(dir, name)
		uid := 64200 + i
		if name != "away" {
			if err := errors.Join(os.Mkdir(home, 0o700), os.Chown(home, uid, uid)); err != nil {
				t.Fatal(err)
			}
		}
		passwd += fmt.Sprintf("%s:x:%d:%d::%s:/bin/bash\n", name, min(uid, 64207), uid, home)
	}
	err := errors.Join(os.Chmod(filepath.Join(dir, "open"), 0o720), os.Chown(filepath.Join(dir, "foreign"), 64200, 64200),
		os.WriteFile(filepath.Join(dir, "passwd"), []byte(passwd), 0o600),
		os.WriteFile(filepath.Join(dir, "group"), []byte("root:x:0:\ndocker:x:64300:strong,nobody\nsudo:x:64301:strong\n"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	const script = `cd "$1" && mount --bind passwd /etc/passwd && mount --bind group /etc/group && mount -t tmpfs none /sys/fs/cgroup && cd / && exec "$2" -test.run='^TestUsers$'`
	command := exec.CommandContext(t.Context(), "sh", "-ec", script, "sh", dir, os.Args[0])
	command.Env = append(os.Environ(), ownUsers+"="+dir)
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// checkOwnUsers is TestUsers in its own process.
func checkOwnUsers(t *testing.T) {
	t.Helper()
	users := map[string]want{
		"good":    {check.OK, "run_as", `"good", uid 64200, is fit`},
		"away":    {check.OK, "run_as", `"away", uid 64201, is fit`},
		"strong":  {check.Fix, "run_as", "is in docker, sudo"},
		"open":    {check.Fix, "run_as", "(mode 0720)"},
		"foreign": {check.Fix, "run_as", "belongs to user 64200"},
		"twice":   {check.Fix, "run_as", "64207"},
	}
	for _, name := range slices.Sorted(maps.Keys(users)) {
		h := newHost(t)
		isolate(t, h, name, "second")
		findings := h.check(t)
		named(t, findings, users[name], want{check.Look, "processes", "found and killed one by one"})
		if check.Bad(findings) != (users[name].state == check.Fix) || strings.Contains(text(findings), `"`+name+`", uid`) != (users[name].state == check.OK) {
			t.Errorf("%s:\n%s", name, text(findings))
		}
	}
	h := newHost(t)
	isolate(t, h, "good", "second")
	inPolicy("builds_dir", "home = \"passwd\"\nbuilds_dir")(t, h)
	home := filepath.Join(os.Getenv(ownUsers), "good")
	kit.Must(t, os.WriteFile(filepath.Join(home, ".netrc"), nil, 0o600))
	kit.Must(t, os.WriteFile(filepath.Join(os.Getenv(ownUsers), "other", "mine"), nil, 0o600))
	inRunners(`"--config", "DIR/etc/rolecall.toml"`, `"--no-policy", "--run-as", "other"`)(t, h) // has that home in any case
	findings := h.check(t)
	named(t, findings, want{check.Look, "home", "without it jobs do not see what is in " + home + `: ".netrc"`})
	if got := text(findings); strings.Contains(got, `"mine"`) || strings.Contains(got, "/second: ") {
		t.Errorf("the home of a user without tenant is named, or an empty one:\n%s", got)
	}
	h = newHost(t)
	isolate(t, h, "good", "second")
	kit.Must(t, os.WriteFile(filepath.Join(home, ".profile"), []byte("exit 5\n"), 0o644))
	if got := text(h.check(t)); strings.Contains(got, "with 5") {
		t.Errorf("the profile of a home that no job has is read:\n%s", got)
	}
	h = newHost(t)
	isolate(t, h, "good", "second")
	inRunners(`"--config", "DIR/etc/rolecall.toml"`, `"--no-policy", "--run-as", "good"`)(t, h)
	named(t, h.check(t), want{check.Fix, "run_as", `ends the login shell of user "good" with 5`})
	kit.Must(t, os.Chmod(home, 0o720))
	if got := text(h.check(t)); strings.Count(got, "others may write to "+home) != 1 {
		t.Errorf("the home of a user is named more than once, or not:\n%s", got)
	}
}
