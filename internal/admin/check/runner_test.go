package check_test

import (
	"os"
	"strings"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// modeFaults are about where the rules come from, and as whom scripts run.
func modeFaults() []fault {
	const beta = `runner "deploy-beta"`
	withConfig := `"--config", "DIR/etc/rolecall.toml"`
	noPolicy := func(flags string) func(*testing.T, *host) {
		return func(t *testing.T, h *host) {
			t.Helper()
			kit.NeedRoot(t, "what is said to an admin whose runner is root")
			h.policy, h.ByDefault = "", true
			inRunners(withConfig, flags)(t, h)
		}
	}
	asRoot := noPolicy(`"--no-policy", "--run-as", "root"`)
	return []fault{
		{"no user", noPolicy(`"--no-policy"`), want{check.Fix, beta, "--no-policy without --run-as"}},
		{"as root", asRoot, want{check.Look, beta, "every script of every job is root"}},
		{"no such user", noPolicy(`"--no-policy", "--run-as", "nosuch"`), want{check.Fix, "run_as", `user "nosuch"`}},
		{"foreign builds", noPolicy(`"--no-policy", "--run-as", "list"`), want{check.Fix, beta, `does not belong to user "list" of --run-as`}},
		{"foreign builds of root", all(asRoot, chowning("builds")), want{check.Look, beta, "builds belongs to user 4711, neither root nor you"}},
		{"beside a file", func(t *testing.T, h *host) {
			t.Helper()
			kit.NeedRoot(t, "what is said to an admin whose runner is root")
			inRunners(withConfig, `"--no-policy", "--run-as", "root"`)(t, h)
		}, want{check.Look, beta, "this runner ignores the policy file"}},
		{"folders beside a file", func(t *testing.T, h *host) {
			t.Helper()
			kit.NeedRoot(t, "what is said to an admin whose runner is root")
			inRunners(withConfig, `"--no-policy", "--run-as", "root"`)(t, h)
			inRunners("builds_dir =", "#")(t, h)
		}, want{check.Fix, beta, "builds_dir is not set"}},
		{"contradiction", inRunners(withConfig, withConfig+`, "--no-policy"`), want{check.Fix, beta, "contradict each other"}},
		{"user beside a file", inRunners(withConfig, withConfig+`, "--run-as", "list"`), want{check.Fix, beta, "--run-as is for --no-policy only"}},
		{"root by silence", func(t *testing.T, h *host) {
			t.Helper()
			kit.NeedRoot(t, "what is said to an admin whose runner is root")
			inPolicy(`run_as_root = "unsafe"`, "")(t, h)
		}, want{check.Fix, "run_as", "refuses jobs without a unix user: alpha, beta, the jobs without a tenant"}},
	}
}

// runnerFaults are about the runner's config.toml.
func runnerFaults() []fault {
	const beta = `runner "deploy-beta"`
	return []fault{
		{"no config", func(_ *testing.T, h *host) { h.runners = "" }, want{check.Fix, "runner's config", "no such file"}},
		{"a folder for config", func(t *testing.T, h *host) { h.mkdir(t, "etc/config.toml", 0o700) }, want{check.Fix, "runner's config", "is a directory"}},
		{"broken config", inRunners("shutdown_timeout", "token = glrt-SECRET\nshutdown_timeout"), want{check.Fix, "runner's config", "config.toml:1: GitLab Runner cannot read this TOML"}},
		{"odd type", inRunners("= 60\n[[", "= \"SECRET\"\n[["), want{check.Fix, "runner's config", "config.toml:1"}},
		{"a driver by its programs", inRunners("DIR/libexec/rolecall", "/opt/driver"), want{check.Fix, beta, "config_exec: stat /opt/driver/config: no such file"}},
		{"a driver by its folder", inRunners("DIR/libexec/rolecall/", "/opt/rolecall/my-"), want{check.Fix, beta, "config_exec: stat /opt/rolecall/my-config: no such file"}},
		{"no runner", inRunners(`"custom"`, `"shell"`), want{check.Fix, "runner's config", "no runner"}},
		{"more than flags", inRunners(`"beta"`, `"beta", "extra"`), want{check.Fix, beta, `are not flags of rolecall: unexpected argument "extra"`}},
		{"odd flags", inRunners("--tenant", "--tenants"), want{check.Fix, beta, "are not flags of rolecall: flag provided but not defined: -tenants"}},
		{"odd tenant", inRunners(`"beta"`, `"Beta"`), want{check.Fix, beta, "tenant name"}},
		{"other policy file", inRunners("rolecall.toml", "other.toml"), want{check.Look, beta, "other.toml"}},
		{"default file", inRunners(`"--config", "DIR/etc/rolecall.toml", `, ""), want{check.Look, beta, "its policy file is /etc/rolecall/rolecall.toml"}},
		{"no cleanup", inRunners("cleanup_exec =", "#"), want{check.Fix, beta, "cleanup_exec is not set"}},
		{"no program", writing("libexec/rolecall/run", "", 0o644), want{check.Fix, beta, "is not a program"}},
		{"a folder for a program", func(t *testing.T, h *host) {
			kit.Must(t, os.Remove(h.path("libexec/rolecall/prepare")))
			h.mkdir(t, "libexec/rolecall/prepare", 0o755)
		}, want{check.Fix, beta, "prepare is not a program"}},
		{"loose folder", func(t *testing.T, h *host) { h.mkdir(t, "libexec", 0o777) }, want{check.Fix, beta, "libexec has mode 0777"}},
		{"no times", inRunners("prepare_exec_timeout", "#"), want{check.OK, beta, "timeouts"}},
		{"no grace", inRunners("graceful_kill_timeout", "#"), want{check.Fix, beta, "shutdown_timeout is 60 s"}},
		{"little grace", inRunners("graceful_kill_timeout = 15", "graceful_kill_timeout = 9"), want{check.Fix, beta, "graceful_kill_timeout is 9 s"}},
		{"just enough", inRunners("prepare_exec_timeout = 120", "prepare_exec_timeout = 40"), want{check.OK, beta, "timeouts"}},
		{"short shutdown", inRunners("shutdown_timeout = 60", "shutdown_timeout = 59"), want{check.Fix, beta, "shutdown_timeout is 59 s"}},
		{"no shutdown", inRunners("shutdown_timeout = 60", ""), want{check.Fix, beta, "shutdown_timeout is 30 s"}},
		{"builds by policy", inRunners("builds_dir =", "#"), want{check.OK, "builds_dir", ""}},
		{"builds nowhere", func(t *testing.T, h *host) {
			inPolicy("builds_dir =", "#")(t, h)
			inRunners("builds_dir =", "#")(t, h)
		}, want{check.Fix, beta, "builds_dir is not set"}},
		{"caches nowhere", func(t *testing.T, h *host) {
			inPolicy("cache_dir =", "#")(t, h)
			inRunners("cache_dir =", "#")(t, h)
		}, want{check.Fix, beta, "cache_dir is not set"}},
		{"plain http", inRunners("GITLAB", "http://u:SECRET@192.0.2.1"), want{check.Fix, "GitLab", "192.0.2.1: not https"}},
		{"no url", inRunners("GITLAB", ""), want{check.Fix, "GitLab", "not a URL"}},
		{"odd url", inRunners("GITLAB", "http://%zz"), want{check.Fix, "GitLab", "not a URL"}},
		{"shared", func(_ *testing.T, h *host) {
			h.runners += strings.ReplaceAll(h.runner("beta"), `, "--tenant", "beta"`, "")
		}, want{check.OK, "runners", "every tenant"}},
	}
}
