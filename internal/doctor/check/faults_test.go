package check_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/doctor/check"
	"rolecall/test/kit"
)

// fault breaks a host that is right, in one place.
type fault struct {
	name     string
	breaking func(t *testing.T, h *host)
	want     want
}

func policyFaults() []fault {
	return []fault{
		{"no policy file", func(_ *testing.T, h *host) { h.policy, h.ByDefault = "", true }, want{check.Fix, `runner "deploy-beta"`, "does not exist, so every job is refused"}},
		{"named but missing", func(_ *testing.T, h *host) { h.policy = "" }, want{check.Fix, "policy file", "no such file"}},
		{"loose policy file", func(t *testing.T, h *host) { h.write(t, "etc/rolecall.toml", h.policy, 0o666) }, want{check.Fix, "policy file", "mode 0666"}},
		{"unknown key", inPolicy("cache_dir", "cachedir"), want{check.Fix, "policy file", "rolecall.toml:2"}},
		{"second of two", inPolicy("builds_dir = \"DIR/builds\"", "a = 1\nb = 1"), want{check.Fix, "policy file", "rolecall.toml:2"}},
		{"long session", writing("etc/session.json", `{"a":"`+strings.Repeat("ö", 2048)+`"}`, 0o644), want{check.Fix, "session_policy_file", "session.json: it has 2056 characters"}},
		{"longest session", writing("etc/session.json", `{"a":"`+strings.Repeat("ö", 2040)+`"}`, 0o644), want{check.OK, "session_policy_file", "session.json"}},
		{"loose session", writing("etc/session.json", "{}", 0o666), want{check.Fix, "session_policy_file", "mode 0666"}},
		{"missing bundle", inPolicy("[sts]", "[sts]\nca_bundle = \"/none.pem\""), want{check.Fix, "sts.ca_bundle", "no such file"}},
		{"no PEM", inPolicy("[gitlab]", "[gitlab]\nca_bundle = \"DIR/etc/session.json\""), want{check.Fix, "gitlab.ca_bundle", "no certificate"}},
		{"no keys", inPolicy("[gitlab]", "[gitlab]\njwks_file = \"DIR/etc/session.json\""), want{check.Fix, "issuer's keys", "no key"}},
		{"missing keys", inPolicy("[gitlab]", "[gitlab]\njwks_file = \"/none.json\""), want{check.Fix, "issuer's keys", "no such file"}},
		{"slash", inPolicy("issuer = \"GITLAB\"", "issuer = \"GITLAB/\""), want{check.Fix, "issuer's keys", "/\" ends with a slash, and the claim iss"}},
		{"slash, with keys elsewhere", inPolicy("issuer = \"GITLAB\"", "issuer = \"GITLAB/\"\njwks_url = \"GITLAB/oauth/discovery/keys\""), want{check.Fix, "issuer's keys", "ends with a slash"}},
		{"slash, with a file of keys", inPolicy("issuer = \"GITLAB\"", "issuer = \"GITLAB/\"\njwks_file = \"DIR/etc/session.json\""), want{check.Fix, "issuer's keys", "ends with a slash"}},
		{"other issuer", inPolicy("issuer = \"http://127.0.0.1", "issuer = \"http://localhost"), want{check.Fix, "issuer's keys", "is not the issuer"}},
	}
}

func folderFaults() []fault {
	return []fault{
		{"disk", func(_ *testing.T, h *host) { h.mounts = strings.ReplaceAll(h.mounts, "tmpfs", "ext4") }, want{check.Fix, "credentials_dir", "ext4"}},
		{"nothing mounted", func(_ *testing.T, h *host) { h.mounts = "\n" }, want{check.Fix, "credentials_dir", "unknown file system"}},
		{"swap in memory", swapping("/dev/zram0", "tmpfs", "rw"), want{check.OK, "credentials_dir", "never written to a disk"}},
		{"swap beside ramfs", swapping("/dev/sda2", "ramfs", "rw"), want{check.OK, "credentials_dir", "never written to a disk"}},
		{"swap without the tmpfs", swapping("/dev/sda2", "tmpfs", "rw,noswap"), want{check.OK, "credentials_dir", "never written to a disk"}},
		{"broken mounts", func(_ *testing.T, h *host) {
			h.mounts += h.expand("1 2 3 - x y z\n9 1 0:9 / DIR/run/rolecall rw - x\n")
		}, want{check.OK, "credentials_dir", "is a tmpfs of its own"}},
		{"by a link", func(t *testing.T, h *host) {
			kit.Must(t, os.Symlink(h.path("run"), h.path("way")))
			inPolicy("DIR/run/rolecall", "DIR/way/rolecall")(t, h)
		}, want{check.OK, "credentials_dir", "way/rolecall is a tmpfs of its own"}},
		{"among others", func(_ *testing.T, h *host) {
			h.mounts = strings.ReplaceAll(h.mounts, h.path("run/rolecall")+" rw,nosuid - tmpfs", h.path("elsewhere")+" rw - tmpfs")
		}, want{check.Look, "credentials_dir", "shares the tmpfs at "}},
		{"link", linking("run/rolecall"), want{check.Fix, "credentials_dir", "a link"}},
		{"foreign", chowning("run/rolecall"), want{check.Look, "credentials_dir", "user 4711"}},
		{"no parent", inPolicy("run/rolecall", "none/rolecall"), want{check.Fix, "credentials_dir", "no such file"}},
		{"not made yet", inPolicy("run/rolecall", "run/later"), want{check.OK, "credentials_dir", "the first job makes it"}},
		{"no log folder", inPolicy("DIR/log/", "DIR/none/"), want{check.Fix, "audit_log", "no such file"}},
		{"log is open", writing("log/audit.jsonl", "", 0o666), want{check.Fix, "audit_log", "audit.jsonl has mode 0666"}},
		{"log of root's", writing("log/audit.jsonl", "", 0o600), want{check.OK, "audit_log", "can be changed by nobody else"}},
		{"log is a link", linking("log/audit.jsonl"), want{check.Fix, "audit_log", "not a regular file"}},
		{"foreign log", chowning("log"), want{check.Fix, "audit_log", "belongs to user 4711"}},
		{"builds is a file", inPolicy("DIR/builds", "DIR/etc/session.json"), want{check.Fix, "builds_dir", "is not a folder"}},
		{"loose builds", func(t *testing.T, h *host) { h.mkdir(t, "builds", 0o775) }, want{check.Fix, "builds_dir", "mode 0775"}},
		{"a blank", inPolicy("DIR/builds", "DIR/my builds"), want{check.Look, "builds_dir", "has a blank"}},
		{"foreign builds", chowning("builds"), want{check.Look, "builds_dir", "user 4711"}},
	}
}

// swapping gives a host a swap, and the file system of the credentials a kind and options.
func swapping(swap, kind, options string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.write(t, "proc/swaps", "Filename Type Size Used Priority\n"+swap+" partition 1 0 -2\n", 0o644)
		h.mounts = strings.ReplaceAll(h.mounts, "run/rolecall rw,nosuid - tmpfs tmpfs rw", "run/rolecall rw,nosuid - "+kind+" "+kind+" "+options)
	}
}

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
	return []fault{
		{"no user", noPolicy(`"--no-policy"`), want{check.Fix, beta, "--no-policy without --run-as"}},
		{"as root", noPolicy(`"--no-policy", "--run-as", "root"`), want{check.Look, beta, "every script of every job is root"}},
		{"no such user", noPolicy(`"--no-policy", "--run-as", "nosuch"`), want{check.Fix, "run_as", `user "nosuch"`}},
		{"foreign builds", noPolicy(`"--no-policy", "--run-as", "list"`), want{check.Fix, beta, `does not belong to user "list" of --run-as`}},
		{"beside a file", func(t *testing.T, h *host) {
			t.Helper()
			kit.NeedRoot(t, "what is said to an admin whose runner is root")
			inRunners(withConfig, `"--no-policy", "--run-as", "root"`)(t, h)
		}, want{check.Look, beta, "this runner ignores the policy file"}},
		{"contradiction", inRunners(withConfig, withConfig+`, "--no-policy"`), want{check.Fix, beta, "contradict each other"}},
		{"user beside a file", inRunners(withConfig, withConfig+`, "--run-as", "list"`), want{check.Fix, beta, "--run-as is for --no-policy only"}},
		{"root by silence", func(t *testing.T, h *host) {
			t.Helper()
			kit.NeedRoot(t, "what is said to an admin whose runner is root")
			inPolicy(`run_as_root = "unsafe"`, "")(t, h)
		}, want{check.Fix, "run_as", "refuses jobs without a unix user: alpha, beta, the jobs without a tenant"}},
	}
}

func runnerFaults() []fault {
	const beta = `runner "deploy-beta"`
	return []fault{
		{"no config", func(_ *testing.T, h *host) { h.runners = "" }, want{check.Fix, "runner's config", "no such file"}},
		{"broken config", inRunners("shutdown_timeout", "token = glrt-SECRET\nshutdown_timeout"), want{check.Fix, "runner's config", "config.toml:1: GitLab Runner cannot read this TOML"}},
		{"odd type", inRunners("= 60\n[[", "= \"SECRET\"\n[["), want{check.Fix, "runner's config", "config.toml:1"}},
		{"a driver by its programs", inRunners("DIR/libexec/rolecall", "/opt/driver"), want{check.Fix, beta, "config_exec: stat /opt/driver/config: no such file"}},
		{"no runner", inRunners(`"custom"`, `"shell"`), want{check.Fix, "runner's config", "no runner"}},
		{"more than flags", inRunners(`"beta"`, `"beta", "extra"`), want{check.Fix, beta, `are not flags of rolecall: unexpected argument "extra"`}},
		{"odd flags", inRunners("--tenant", "--tenants"), want{check.Fix, beta, "are not flags"}},
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
		{"shared", func(_ *testing.T, h *host) {
			h.runners += strings.ReplaceAll(h.runner("beta"), `, "--tenant", "beta"`, "")
		}, want{check.OK, "runners", "every tenant"}},
	}
}

// TestFaults breaks a host in one place each: that is named, and no other is bad.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range slices.Concat(policyFaults(), folderFaults(), modeFaults(), runnerFaults()) {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			f.breaking(t, h)
			findings := h.check(t)
			named(t, findings, f.want)
			if check.Bad(findings) != (f.want.state == check.Fix) {
				t.Errorf("bad is %v for\n%s", check.Bad(findings), text(findings))
			}
		})
	}
}

// TestOnlyShared: where no runner is one tenant's, there is nothing to say of those
// that are not.
func TestOnlyShared(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for _, tenant := range []string{"alpha", "beta"} {
		inRunners(`, "--tenant", "`+tenant+`"`, "")(t, h)
	}
	if got := text(h.check(t)); strings.Contains(got, "every tenant") || strings.Contains(got, "several runners") || strings.Contains(got, "FAIL") {
		t.Errorf("two shared runners:\n%s", got)
	}
}

// TestSmallTmpfs checks a real tmpfs that is too small for the credentials of many
// jobs, and one that is full.
func TestSmallTmpfs(t *testing.T) {
	t.Parallel()
	for size, state := range map[string]check.State{"size=4m": check.Look, "size=64k": check.Fix} {
		h := newHost(t)
		dir := h.path("run")
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, size+",mode=755"); err != nil {
			t.Skipf("NOT TESTED, run as root: mount a tmpfs: %v", err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
		named(t, h.check(t), want{state, "credentials_dir", "MiB free"}, want{check.OK, "credentials_dir", "the first job makes it"})
	}
}

// inPolicy replaces a text in the policy file.
func inPolicy(old, text string) func(*testing.T, *host) {
	return func(_ *testing.T, h *host) { h.policy = strings.ReplaceAll(h.policy, h.expand(old), h.expand(text)) }
}

// inRunners replaces a text in the runner's config.toml.
func inRunners(old, text string) func(*testing.T, *host) {
	return func(_ *testing.T, h *host) { h.runners = strings.ReplaceAll(h.runners, h.expand(old), h.expand(text)) }
}

// writing writes a file.
func writing(name, content string, mode os.FileMode) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.write(t, name, content, mode)
	}
}

// linking puts a link in the place of a file or empty folder.
func linking(name string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		_ = os.Remove(h.path(name))
		if err := os.Symlink(h.path("etc"), h.path(name)); err != nil {
			t.Fatal(err)
		}
	}
}

// chowning gives a file to another user.
func chowning(name string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		kit.NeedRoot(t, "files of other users")
		if err := os.Chown(h.path(name), 4711, 4711); err != nil {
			t.Fatal(err)
		}
	}
}
