package check_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"rolecall/internal/admin/check"
)

// want is a finding that must be there.
type want struct {
	state check.State
	area  string
	what  string // in it
}

// named checks that each finding that is wanted is there, with something to do, and
// that no secret is.
func named(t *testing.T, findings []check.Finding, wanted ...want) {
	t.Helper()
	for _, w := range wanted {
		found := false
		for _, f := range findings {
			found = found || f.State == w.state && f.Area == w.area && strings.Contains(f.What, w.what) && (f.Do != "" || f.State == check.OK)
		}
		if !found {
			t.Errorf("nothing says %s | %s | %s in\n%s", w.state, w.area, w.what, text(findings))
		}
	}
	if strings.Contains(text(findings), "SECRET") {
		t.Errorf("a secret is in\n%s", text(findings))
	}
}

func TestRight(t *testing.T) {
	t.Parallel()
	findings := newHost(t).check(t)
	for _, f := range findings {
		if f.State != check.OK && !ofThisTest(f) {
			t.Errorf("%s: %s: %s", f.State, f.Area, f.What)
		}
	}
	if check.Bad(findings) {
		t.Error("a host on which all is right is bad")
	}
	named(t, findings,
		want{check.OK, "policy file", "2 tenants"}, want{check.OK, "session_policy_file", ""}, want{check.OK, "credentials_dir", "closed to all"},
		want{check.OK, "credentials_dir", "never written to a disk"}, want{check.OK, "audit_log", ""}, want{check.OK, "builds_dir", ""}, want{check.OK, "cache_dir", ""},
		want{check.OK, "issuer's keys", ""}, want{check.OK, "clock", ""}, want{check.OK, "STS", "answers"}, want{check.OK, "runner's config", "2 runners"},
		want{check.OK, `runner "deploy-alpha"`, "programs"}, want{check.OK, `runner "deploy-beta"`, "its tenant is beta"}, want{check.OK, `runner "deploy-beta"`, "timeouts"},
		want{check.OK, "host", "core dumps"}, want{check.OK, "host", "hides"}, want{check.OK, "host", "protected_symlinks"},
		want{check.OK, "runner's TMPDIR", ""}, want{check.OK, "metadata service", ""},
		want{check.Look, "shared_user", "alpha, beta have one unix user"}, processes())
}

// ofThisTest reports whether a finding is about what a test has not, users for its
// tenants, or about the very host that it runs on.
func ofThisTest(f check.Finding) bool {
	return f.Area == "shared_user" || f.Area == "processes" || f.Area == "run_as" && strings.Contains(f.What, "run_as_root")
}

// TestExample checks the example of a config.toml, with the paths and the server
// of the test: it follows the advice that is given here.
func TestExample(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("../../../runner-config.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	h.runners = h.expand(strings.NewReplacer(
		"/usr/libexec/rolecall", "DIR/libexec/rolecall", "https://gitlab.example.com", "GITLAB",
	).Replace(string(example)))
	findings := h.check(t)
	for _, f := range findings {
		if f.State != check.OK && !ofThisTest(f) && !strings.Contains(f.What, "its policy file is /etc/rolecall/rolecall.toml") {
			t.Errorf("%s: %s: %s", f.State, f.Area, f.What)
		}
	}
}

// TestBroken is a host on which everything is wrong that can be at once.
func TestBroken(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	breakHost(t, h)
	breakRunners(t, h)
	metadata, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = metadata.Close() }()
	h.Metadata = []string{metadata.Addr().String()}
	findings := h.check(t)
	const alpha = `runner "deploy-alpha"`
	named(t, findings,
		want{check.Fix, "session_policy_file", "not a JSON object"},
		want{check.Fix, "credentials_dir", "mode 0755"},
		want{check.Look, "credentials_dir", "swapped out to /dev/sda2"},
		want{check.Fix, "audit_log", "log has mode 0777"},
		want{check.Fix, "builds_dir", "others may write"},
		want{check.Look, "cache_dir", "no such file"},
		want{check.Fix, "issuer's keys", "404"},
		want{check.Fix, "STS", "connection refused"},
		want{check.Fix, "GitLab", "connection refused"},
		want{check.Fix, "runner's config", "mode 0644"},
		want{check.Fix, alpha, `config_exec is "rolecall/config", not an absolute path`},
		want{check.Fix, alpha, "libexec/rolecall/none: no such file"},
		want{check.Fix, alpha, "rolecall/run, another stage's program"},
		want{check.Fix, alpha, "run has mode 0777"},
		want{check.Fix, alpha, "prepare_exec_timeout is 5 s"},
		want{check.Fix, alpha, "shutdown_timeout is 60 s"},
		want{check.Fix, alpha, `cache_dir is "cache"`},
		want{check.Fix, alpha, "clean_git_config is off"},
		want{check.Fix, `runner "deploy-gamma"`, "gamma is not in the policy file"},
		want{check.Fix, `runner "uneven"`, "prepare_args are"},
		want{check.Look, "runners", `tenant beta has several runners: "deploy-beta", "again"`},
		want{check.OK, "runners", `"uneven" take jobs of every tenant`},
		want{check.Look, "host", "systemd-coredump"},
		want{check.Look, "host", "command lines"},
		want{check.Look, "host", "protected_symlinks is off"},
		want{check.Look, "runner's TMPDIR", "ext4"},
		want{check.Look, "metadata service", "answers"},
	)
	if !check.Bad(findings) {
		t.Error("a host on which everything is wrong is not bad")
	}
}

// breakHost breaks what is not the runner's.
func breakHost(t *testing.T, h *host) {
	t.Helper()
	h.policy = strings.NewReplacer(h.sts.URL(), "http://"+closedPort(t), h.gitlab.URL(), h.gitlab.URL()+"/other").Replace(h.policy)
	h.write(t, "etc/session.json", `["a"]`, 0o644)
	h.mkdir(t, "run/rolecall", 0o755)
	h.mkdir(t, "log", 0o777)
	h.mkdir(t, "builds", 0o777)
	if err := os.Remove(h.path("cache")); err != nil {
		t.Fatal(err)
	}
	h.write(t, "proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n", 0o644)
	h.write(t, "proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n", 0o644)
	h.write(t, "proc/sys/fs/protected_symlinks", "0\n", 0o644)
	h.mounts = strings.ReplaceAll(h.mounts, ",hidepid=invisible", "")
	h.Temp = h.path("log")
}

// breakRunners breaks the runner's config.toml and the driver's programs.
func breakRunners(t *testing.T, h *host) {
	t.Helper()
	h.write(t, "libexec/rolecall/run", "", 0o777)
	alpha := strings.NewReplacer(
		h.path("libexec/rolecall/config"), "rolecall/config",
		h.path("libexec/rolecall/prepare"), h.path("libexec/rolecall/none"),
		h.path("libexec/rolecall/cleanup"), h.path("libexec/rolecall/run"),
		"graceful_kill_timeout = 15", "graceful_kill_timeout = 600",
		"force_kill_timeout = 5", "",
		"prepare_exec_timeout = 120", "prepare_exec_timeout = 5",
		h.path("cache"), "cache",
		"[runners.custom]", "clean_git_config = false\n[runners.custom]",
	).Replace(h.runner("alpha"))
	beta := h.runner("beta")
	gamma := strings.Replace(h.runner("gamma"), h.gitlab.URL(), "http://"+closedPort(t), 1)
	uneven := strings.Replace(strings.ReplaceAll(beta, "deploy-beta", "uneven"), `, "--tenant", "beta"]`, "]", 1)
	h.runners = "shutdown_timeout = 60\n" + alpha + beta + strings.ReplaceAll(beta, "deploy-beta", "again") + gamma + uneven
	h.write(t, "etc/config.toml", h.runners, 0o644)
}
