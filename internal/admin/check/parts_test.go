package check_test

import (
	"fmt"
	"hash/fnv"
	"strings"
	"testing"

	"rolecall/internal/admin/check"
)

// withTwo gives the host a second policy file, with a runner that reads it.
func withTwo(t *testing.T, h *host, second string) {
	t.Helper()
	h.Policy, h.ByDefault = "/etc/rolecall/rolecall.toml", true
	h.write(t, "etc/second.toml", second, 0o600)
	h.write(t, "etc/rolecall.toml", h.policy, 0o600)
	gamma := strings.ReplaceAll(h.runner("gamma"), h.Policy, h.path("etc/second.toml"))
	h.runners = strings.ReplaceAll(h.runner("alpha")+h.runner("beta"), h.Policy, h.path("etc/rolecall.toml")) + gamma
	h.runners = "shutdown_timeout = 60\n" + h.runners
}

// TestTwoPolicies: the policy file of each runner is checked, and nobody has to name it.
func TestTwoPolicies(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	second := strings.NewReplacer(`"alpha"`, `"gamma"`, h.path("log"), h.path("none"), "[gitlab]", "run_as = \"nobody\"\n[gitlab]").Replace(strings.Split(h.policy, "[[tenant]]\nname = \"beta\"")[0])
	withTwo(t, h, second)
	got := h.check(t)
	named(t, got, want{check.OK, "policy file", "rolecall.toml has 2 tenants"}, want{check.OK, "policy file", "second.toml has 1 tenants"},
		want{check.Fix, "audit_log", h.path("none")}, want{check.OK, "audit_log", h.path("log")},
		want{check.OK, `runner "deploy-gamma"`, "its tenant is gamma"}, want{check.OK, `runner "deploy-beta"`, "its tenant is beta"}, want{check.OK, "runner's config", "3 runners"})
	if all := text(got); strings.Count(all, "| programs |") != 1 || strings.Contains(all, "is not in the policy file") || strings.Contains(all, "its policy file is") {
		t.Errorf("\n%s", all)
	}
}

// TestTwoUsers: a user that two policy files give to different tenants is to fix.
func TestTwoUsers(t *testing.T) {
	t.Parallel()
	const wrong = `user "nobody" is of several tenants: alpha, gamma: their jobs can read each other's credentials`
	isolated := func(h *host, name string) string {
		return strings.NewReplacer("shared_user = \"unsafe\"\n", "", `"alpha"`, fmt.Sprintf("%q\nrun_as = \"nobody\"", name)).Replace(strings.Split(h.policy, "[[tenant]]\nname = \"beta\"")[0])
	}
	for name, found := range map[string]bool{"gamma": true, "alpha": false} {
		h := newHost(t)
		second := isolated(h, name)
		h.policy = isolated(h, "alpha")
		withTwo(t, h, second)
		if got := text(h.check(t)); strings.Contains(got, wrong) != found {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// TestWithAndWithout: a runner without a policy file is checked beside one that has one.
func TestWithAndWithout(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	withTwo(t, h, "")
	h.runners = strings.Replace(h.runners, fmt.Sprintf("%q, %q", "--config", h.path("etc/second.toml")), `"--no-policy"`, 4)
	h.runners = strings.ReplaceAll(h.runners, `, "--tenant", "gamma"`, "")
	got := text(h.check(t))
	if strings.Contains(got, "/etc/rolecall/rolecall.toml does not exist") || !strings.Contains(got, `runner "deploy-gamma" | --no-policy without --run-as`) || !strings.Contains(got, "rolecall.toml has 2 tenants") {
		t.Errorf("\n%s", got)
	}
}

// TestExpected: a policy file that is not that of the fleet is to fix, and so is one that is
// missing.
func TestExpected(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	sum := fnv.New128a()
	_, _ = sum.Write([]byte(h.policy))
	hash := fmt.Sprintf("%x", sum.Sum(nil))
	named(t, h.check(t), want{check.OK, "policy file", h.Policy + " has the hash " + hash})
	h.Expected = hash
	named(t, h.check(t), want{check.OK, "policy file", h.Policy + " has the hash " + hash})
	h.Expected = strings.Repeat("0", 32)
	named(t, h.check(t), want{check.Fix, "policy file", h.Policy + " has the hash " + hash + ", and 000"})
	h.Policy, h.ByDefault, h.runners = "/etc/rolecall/none.toml", true, "\n"
	h.write(t, "etc/config.toml", h.runners, 0o600)
	named(t, h.check(t), want{check.Fix, "policy file", "no such file"})
}

// TestControlBytes: what others have written reaches no terminal as it is.
func TestControlBytes(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.runners = strings.Replace(h.runners, `name = "deploy-alpha"`, `name = "a\u001b[2J\u009b\u202e\nb"`, 1)
	h.runners = strings.Replace(h.runners, h.path("libexec/rolecall/config"), `/none/\u001b[3J\u009b`, 1)
	got := h.check(t)
	all := fmt.Sprintf("%+v", got)
	if strings.ContainsAny(all, "\x1b\u009b\u202e\n") || !strings.Contains(all, "deploy-beta") || !strings.Contains(all, `[2J`) || !strings.Contains(all, `stat /none/\x1b[3J\u009b`) {
		t.Errorf("%q", all)
	}
	if got := check.Clean("a\x1b[2J\u009b\u202e\nb\xff\x7fö"); got != `a\x1b[2J\u009b\u202e b\xff\x7fö` {
		t.Errorf("%q", got)
	}
}
