package admin_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/test/kit"
)

// TestSuspendFull: on a full disk a suspension stays as it is, the admin is told, and the audit log
// says of no tenant that it was resumed.
func TestSuspendFull(t *testing.T) {
	if !kit.InMounts(t, "a full disk") {
		return
	}
	a := newAdmins(t)
	a.does("suspend", "alpha")
	a.does("suspend", "beta")
	full := filepath.Join(a.dir, "full")
	kit.Mount(t, full, "size=16k", 0)
	for _, name := range []string{"suspended.json", "rolecall.toml"} {
		content, err := os.ReadFile(filepath.Join(a.dir, name))
		kit.Must(t, err)
		kit.Must(t, os.WriteFile(filepath.Join(full, name), content, 0o600))
	}
	_ = os.WriteFile(full+"/fill", make([]byte, 1<<16), 0o600) // as far as it goes
	before, err := os.ReadFile(full + "/suspended.json")
	kit.Must(t, err)
	told := a.told()
	for args, says := range map[string]string{"resume alpha": "nothing is resumed: ", "suspend --all": "nothing is suspended: "} {
		got := run("", append(strings.Fields(args), "--config", full+"/rolecall.toml")...)
		if got.code != 1 || got.out != "" || !strings.Contains(got.errors, says) || !strings.Contains(got.errors, syscall.ENOSPC.Error()) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	now, err := os.ReadFile(full + "/suspended.json")
	left, _ := os.ReadDir(full)
	if err != nil || string(now) != string(before) || a.told() != told || len(left) != 3 {
		t.Errorf("%v: %s, left %v, the audit log has\n%s", err, now, left, a.told())
	}
}

// TestNoRight: a user who lacks a right is told who has it.
func TestNoRight(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user without rights")
		if !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}) {
			return
		}
	}
	if got := run("", "who", "x", "--log", "/etc/shadow"); got.code != 1 || !strings.HasSuffix(got.errors, "/etc/shadow: permission denied; you are user 65534: run it as root, or as the user that runs GitLab Runner\n") {
		t.Errorf("%+v", got)
	}
}
