package check_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// Users of child processes: two that run no jobs, and that of alpha.
const (
	nobody     = 65534
	unnamed    = 64131
	uidOfAlpha = 33
)

// asUser returns true in a process that is not root: this one, or else a child of that user.
func asUser(t *testing.T, uid uint32) bool {
	t.Helper()
	if os.Geteuid() == 0 && !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}, programsDir+"=") {
		return false
	}
	t.Setenv("TMPDIR", "/tmp") // that of a child is open to all, and no place for a policy file
	return true
}

// TestContainersNotRoot: a driver that is not root cannot run containers.
func TestContainersNotRoot(t *testing.T) {
	if !asUser(t, nobody) {
		return
	}
	h := newHost(t)
	inPolicy("[gitlab]", "[containers]\nengine = \"podman\"\nimages_dir = \"DIR/images\"\ndefault_image = \"docker.io/library/alpine:3\"\n[gitlab]")(t, h)
	inPolicy("builds_dir =", "home_skeleton = \"DIR/etc\"\nbuilds_dir =")(t, h)
	inPolicy(`cache_dir = "DIR/cache"`, `cache_dir = "/usr"`)(t, h) // of root
	h.runners += "[[runners]]\nexecutor = \"custom\"\n[runners.custom]\nrun_exec = \"/rolecall/run\"\nconfig_args = [\"--no-policy\", \"--run-as\", \"list\"]\n"
	findings := h.check(t)
	for _, ofRoot := range []string{"user namespace can be made", "scripts run as root", "refuses jobs without a unix user", "| home_skeleton |", "belongs to user 0"} {
		if strings.Contains(text(findings), ofRoot) {
			t.Errorf("%q in\n%s", ofRoot, text(findings))
		}
	}
	named(t, findings, want{check.Fix, "containers", "and only root can run containers"},
		want{check.Fix, "run_as", "jobs with an image need a unix user, and have none: alpha, beta, the jobs without a tenant"})
}

// TestModeNotRoot: a runner that is not root needs no user for scripts, and cannot run them as
// root. Where jobs have no HOME of their own, nothing is said of it.
func TestModeNotRoot(t *testing.T) {
	if !asUser(t, nobody) {
		return
	}
	for flags, test := range map[string]struct {
		want   want
		unsaid string
	}{
		`"--no-policy"`:                     {want{check.OK, `runner "deploy-beta"`, "timeouts"}, "--run-as"},
		`"--no-policy", "--run-as", "root"`: {want{check.Fix, `runner "deploy-beta"`, "--run-as root: the runner's service is not root, its uid is "}, "every script"},
	} {
		h := newHost(t)
		inPolicy("builds_dir", "home = \"passwd\"\nbuilds_dir")(t, h)
		inPolicy(`name = "alpha"`, "name = \"alpha\"\nrun_as = \"list\"")(t, h)
		inRunners(`"--config", "DIR/etc/rolecall.toml"`, flags)(t, h)
		h.Metadata = []string{listening(t)}
		findings := h.check(t)
		named(t, findings, test.want, want{check.Look, "metadata service", "answers the user that runs rolecall: "}, want{check.OK, "policy file", "2 tenants"})
		for _, ofRoot := range []string{"| home |", test.unsaid} {
			if strings.Contains(text(findings), ofRoot) {
				t.Errorf("%s: %q in\n%s", flags, ofRoot, text(findings))
			}
		}
	}
}

// TestNotRoot: who cannot become a user of jobs does not call the user fit.
func TestNotRoot(t *testing.T) {
	if !asUser(t, unnamed) {
		return
	}
	got := check.CheckUser(alphaUser)
	if len(got) != 1 || got[0].State != check.Fix || !strings.Contains(got[0].What, fmt.Sprintf("uid %d cannot run scripts as uid %d", os.Geteuid(), uidOfAlpha)) {
		t.Errorf("%+v", got)
	}
}

// TestOwnUser: who is the user of jobs needs no rights to start the user's login shell.
func TestOwnUser(t *testing.T) {
	if !asUser(t, uidOfAlpha) {
		return
	}
	if os.Geteuid() != uidOfAlpha {
		kit.NeedRoot(t, "the user "+alphaUser)
	}
	if got := text(check.CheckUser(alphaUser)); strings.Contains(got, "not permitted") || !strings.Contains(got, "is fit to run scripts") {
		t.Error(got)
	}
}
