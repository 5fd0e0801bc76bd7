package check_test

import (
	"os"
	"strings"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// TestAdvice: what to do about a folder of credentials depends on who has named it.
func TestAdvice(t *testing.T) {
	t.Parallel()
	onDisk := func(_ *testing.T, h *host) { h.mounts = strings.ReplaceAll(h.mounts, "tmpfs", "ext4") }
	unnamed := inPolicy(`credentials_dir = "DIR/run/rolecall"`, "")
	for name, test := range map[string]struct {
		breaking func(*testing.T, *host)
		text     string
	}{
		"disk":            {onDisk, "a disk that keeps what was written | mount a tmpfs there"},
		"disk by default": {all(onDisk, unnamed), "/run/rolecall is on ext4, a disk that keeps what was written | name a folder on a tmpfs as credentials_dir in the policy file"},
		"shared": {func(_ *testing.T, h *host) {
			h.mounts = strings.ReplaceAll(h.mounts, h.path("run/rolecall")+" rw,nosuid - tmpfs", h.path("elsewhere")+" rw - tmpfs")
		}, "who fills it stops all jobs that need credentials | give it a tmpfs of its own, by a line in /etc/fstab: tmpfs "},
		"shared by default": {
			all(unnamed, func(_ *testing.T, h *host) { h.mounts += "8 1 0:9 / /run rw - tmpfs tmpfs rw\n" }),
			"who fills it stops all jobs that need credentials | give it a tmpfs of its own: systemctl enable --now run-rolecall.mount",
		},
	} {
		h := newHost(t)
		test.breaking(t, h)
		if got := text(h.check(t)); !strings.Contains(got, test.text) {
			t.Errorf("%s: no %q in\n%s", name, test.text, got)
		}
	}
}

// TestOnce: what is wrong for several reasons is said once.
func TestOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	isolate(t, h, alphaUser, betaUser)
	all(withSkeleton(".profile", "exit 3\n", 0o600), withHome(".profile", "exit 3\n"))(t, h) // for alpha's jobs of both kinds
	inPolicy("name = \"beta\"", "name = \"beta\"\nsession_policy_file = \"DIR/etc/session.json\"")(t, h)
	beta := h.runner("beta")
	for _, file := range []string{"/a", "/b", "/a"} {
		h.runners += strings.Replace(beta, h.expand(`url = "GITLAB"`), h.expand(`url = "GITLAB/x"`)+"\ntls-ca-file = \""+file+"\"", 1)
	}
	h.runners += strings.Replace(beta, h.gitlab.URL(), h.gitlab.URL()+"/y", 1)
	got := text(h.check(t))
	for text, want := range map[string]int{`login shell of user "www-data"`: 1, "| session_policy_file |": 1, "| clock |": 5} { // of STS, and of GitLab by three addresses, one of them by two bundles
		if n := strings.Count(got, text); n != want {
			t.Errorf("%q is said %d times, want %d:\n%s", text, n, want, got)
		}
	}
}

// TestHere: a real host has all metadata services of AWS's documentation.
func TestHere(t *testing.T) {
	t.Parallel()
	here := check.Here()
	for _, address := range []string{"169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.2:80"} {
		if got := strings.Join(here.Metadata, " "); !strings.Contains(got, address) {
			t.Errorf("%s is not among %s", address, got)
		}
	}
}

// TestEnabled: a timer is enabled by a link in any of systemd's folders.
func TestEnabled(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"etc", "run", "usr/local/lib", "usr/lib", "lib"} {
		h := newHost(t)
		h.mkdir(t, "root/run/systemd/system", 0o755)
		h.write(t, "root/"+dir+"/systemd/system/timers.target.wants/rolecall-sweep.timer", "", 0o644)
		h.write(t, "root/"+dir+"/systemd/system/rolecall-revoke.service", "", 0o644)
		named(t, h.check(t), want{check.OK, "sweep timer", "is enabled"})
	}
}

// TestIgnoredPolicy: of a runner with --no-policy each policy file is named that there is.
func TestIgnoredPolicy(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a policy file in /etc") {
		return
	}
	const ignored = `runner "deploy-beta" | --no-policy: this runner ignores the policy file `
	h := newHost(t)
	inRunners(`"--config", "DIR/etc/rolecall.toml"`, `"--no-policy", "--run-as", "root"`)(t, h)
	kit.Mount(t, "/etc", "mode=0755", 0)
	kit.Must(t, os.MkdirAll("/etc/rolecall", 0o755))
	kit.Must(t, os.WriteFile("/etc/rolecall/rolecall.toml", nil, 0o600))
	if got := text(h.check(t)); !strings.Contains(got, ignored+h.Policy) || !strings.Contains(got, ignored+"/etc/rolecall/rolecall.toml") {
		t.Errorf("\n%s", got)
	}
	h.Policy = "/etc/rolecall/rolecall.toml"
	if n := strings.Count(text(h.check(t)), ignored); n != 1 {
		t.Errorf("it is named %d times", n)
	}
}
