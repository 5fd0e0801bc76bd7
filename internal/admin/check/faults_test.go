package check_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/check"
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
		{"loose file by default", func(t *testing.T, h *host) {
			h.ByDefault = true
			h.write(t, "etc/rolecall.toml", h.policy, 0o666)
		}, want{check.Fix, "policy file", "mode 0666"}},
		{"unknown key", inPolicy("cache_dir", "cachedir"), want{check.Fix, "policy file", "rolecall.toml:2"}},
		{"second of two", inPolicy("builds_dir = \"DIR/builds\"", "a = 1\nb = 1"), want{check.Fix, "policy file", "rolecall.toml:2"}},
		{"long session", writing("etc/session.json", `{"a":"`+strings.Repeat("ö", 2048)+`"}`, 0o644), want{check.Fix, "session_policy_file", "session.json: it has 2056 characters"}},
		{"longest session", writing("etc/session.json", `{"a":"`+strings.Repeat("ö", 2040)+`"}`, 0o644), want{check.OK, "session_policy_file", "session.json"}},
		{"loose session", writing("etc/session.json", "{}", 0o666), want{check.Fix, "session_policy_file", "mode 0666"}},
		{"missing bundle", inPolicy("[sts]", "[sts]\nca_bundle = \"/none.pem\""), want{check.Fix, "sts.ca_bundle", "no such file"}},
		{"no PEM", inPolicy("[gitlab]", "[gitlab]\nca_bundle = \"DIR/etc/session.json\""), want{check.Fix, "gitlab.ca_bundle", "no certificate"}},
		{"no keys", inPolicy("[gitlab]", "[gitlab]\njwks_file = \"DIR/etc/session.json\""), want{check.Fix, "issuer's keys", "no key"}},
		{"keys by their address", inPolicy("[gitlab]\nissuer = \"GITLAB\"", "[gitlab]\nissuer = \"http://127.0.0.1:1\"\njwks_url = \"GITLAB/oauth/discovery/keys\""), want{check.OK, "issuer's keys", "/oauth/discovery/keys has keys"}},
		{"keys in a file", func(t *testing.T, h *host) {
			h.write(t, "etc/keys.json", answerOf(t, h.gitlab.URL()+"/oauth/discovery/keys"), 0o600)
			inPolicy("[gitlab]\nissuer = \"GITLAB\"", "[gitlab]\nissuer = \"http://127.0.0.1:1\"\njwks_file = \"DIR/etc/keys.json\"")(t, h)
		}, want{check.OK, "issuer's keys", "etc/keys.json has keys"}},
		{"missing keys", inPolicy("[gitlab]", "[gitlab]\njwks_file = \"/none.json\""), want{check.Fix, "issuer's keys", "no such file"}},
		{"slash", inPolicy("issuer = \"GITLAB\"", "issuer = \"GITLAB/\""), want{check.Fix, "issuer's keys", "/\" ends with a slash, and the claim iss"}},
		{"slash of the issuer itself", func(t *testing.T, h *host) { inPolicy("issuer = \"GITLAB\"", "issuer = \""+slashed(t, h)+"\"")(t, h) }, want{check.OK, "issuer's keys", "/ has keys"}},
		{"slash, with keys elsewhere", inPolicy("issuer = \"GITLAB\"", "issuer = \"GITLAB/\"\njwks_url = \"GITLAB/oauth/discovery/keys\""), want{check.Fix, "issuer's keys", "ends with a slash"}},
		{"slash, with a file of keys", inPolicy("issuer = \"GITLAB\"", "issuer = \"GITLAB/\"\njwks_file = \"DIR/etc/session.json\""), want{check.Fix, "issuer's keys", "ends with a slash"}},
		{"a key that is none", inPolicy("[sts]", "[handover]\nstore = \"s3\"\nbucket = \"acme-ci\"\nseal_key_files = [\"DIR/etc/session.json\"]\n[sts]"), want{check.Fix, "handover.seal_key_files", "it is not one key"}},
		{"a key that is missing", inPolicy("[sts]", "[handover]\nstore = \"s3\"\nbucket = \"acme-ci\"\nseal_key_files = [\"/none.key\"]\n[sts]"), want{check.Fix, "handover.seal_key_files", "no such file"}},
		{"a store out of reach", inPolicy("[sts]", "[handover]\nstore = \"vault\"\npath = \"kv/data/x\"\n[sts]"), want{check.Look, "handover", "jobs of tenant alpha hand over nothing: it has no credentials of the provider vault"}},
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
		{"one mount over another", func(_ *testing.T, h *host) {
			h.mounts += h.expand("7 6 0:9 / DIR/run/rolecall rw - ext4 /dev/sdc rw\n")
		}, want{check.Fix, "credentials_dir", "rolecall is on ext4"}},
		{"link", linking("run/rolecall"), want{check.Fix, "credentials_dir", "a link"}},
		{"foreign", chowning("run/rolecall"), want{check.Look, "credentials_dir", "user 4711"}},
		{"no parent", inPolicy("run/rolecall", "none/rolecall"), want{check.Fix, "credentials_dir", "no such file"}},
		{"not made yet", inPolicy("run/rolecall", "run/later"), want{check.OK, "credentials_dir", "the first job makes it"}},
		{"no log folder", inPolicy("DIR/log/", "DIR/none/"), want{check.Fix, "audit_log", "no such file"}},
		{"log is open", writing("log/audit.jsonl", "", 0o666), want{check.Fix, "audit_log", "audit.jsonl has mode 0666"}},
		{"log of root's", writing("log/audit.jsonl", "", 0o600), want{check.OK, "audit_log", "can be changed by nobody else"}},
		{"log is a link", linking("log/audit.jsonl"), want{check.Fix, "audit_log", "not a regular file"}},
		{"foreign log", chowning("log"), want{check.Fix, "audit_log", "belongs to user 4711"}},
		{"metrics are not written", withMetrics("log/rolecall.prom"), want{check.Look, "metrics_file", "rolecall.prom is not written yet"}},
		{"metrics without a folder", withMetrics("none/rolecall.prom"), want{check.Fix, "metrics_file", "install node_exporter, or make the folder"}},
		{"metrics for all", func(t *testing.T, h *host) {
			h.mkdir(t, "node", 0o777)
			withMetrics("node/rolecall.prom")(t, h)
		}, want{check.Fix, "metrics_file", "everybody can write to it"}},
		{"metrics are old", func(t *testing.T, h *host) {
			writing("log/rolecall.prom", "", 0o644)(t, h)
			old := time.Now().Add(-16 * time.Minute)
			kit.Must(t, os.Chtimes(h.path("log/rolecall.prom"), old, old))
			withMetrics("log/rolecall.prom")(t, h)
		}, want{check.Look, "metrics_file", "rolecall.prom was last written 16m0s ago"}},
		{"metrics are new", func(t *testing.T, h *host) {
			writing("log/rolecall.prom", "", 0o644)(t, h)
			withMetrics("log/rolecall.prom")(t, h)
		}, want{check.OK, "metrics_file", "rolecall.prom is up to date"}},
		{"builds is a file", inPolicy("DIR/builds", "DIR/etc/session.json"), want{check.Fix, "builds_dir", "is not a folder"}},
		{"loose builds", func(t *testing.T, h *host) { h.mkdir(t, "builds", 0o775) }, want{check.Fix, "builds_dir", "mode 0775"}},
		{"a blank", inPolicy("DIR/builds", "DIR/my builds"), want{check.Look, "builds_dir", "has a blank"}},
		{"foreign builds", chowning("builds"), want{check.Look, "builds_dir", "user 4711"}},
	}
}

// withMetrics gives a host a file of metrics.
func withMetrics(file string) func(*testing.T, *host) {
	return func(_ *testing.T, h *host) { h.policy = fmt.Sprintf("metrics_file = %q\n", h.path(file)) + h.policy }
}

// swapping gives a host a swap, and the file system of the credentials a kind and options.
func swapping(swap, kind, options string) func(*testing.T, *host) {
	return func(t *testing.T, h *host) {
		t.Helper()
		h.write(t, "proc/swaps", "Filename Type Size Used Priority\n"+swap+" partition 1 0 -2\n", 0o644)
		h.mounts = strings.ReplaceAll(h.mounts, "run/rolecall rw,nosuid - tmpfs tmpfs rw", "run/rolecall rw,nosuid - "+kind+" "+kind+" "+options)
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
	for size, state := range map[string]check.State{"size=8m": check.OK, "size=4m": check.Look, "size=1m": check.Look, "size=64k": check.Fix} {
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
