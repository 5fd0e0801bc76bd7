package admin_test

import (
	"encoding/json"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"", 2, "name a command; rolecall --help lists them"},
		{"cure", 2, `no command "cure"`},
		{"check --nose", 2, "unknown flag: --nose"},
		{"check all", 2, `unknown argument "all"`},
		{"explain", 2, "--job"},
		{"explain --job x --runner-tenant A", 2, "tenant name"},
		{"trust-policy", 2, "--tenant"},
		{"trust-policy --tenant alpha extra", 2, `unknown argument "extra"`},
		{"--help", 0, "trust-policy"},
		{"check --help", 0, "--runner-config"},
		{"check --expect-policy 0123", 2, "want the 32 hex digits"},
		{"check --expect-policy xyz", 2, "want the 32 hex digits"},
		{"explain --help", 0, "--token"},
		{"trust-policy --help", 0, "--terraform"},
		{"--version", 0, "rolecall 0."},
		{"explain --no-policy --job /none", 1, "/none"},
		{"explain --no-policy --config /none --job x", 2, "contradict each other"},
		{"explain --config /none --job /none", 1, "/none"},
		{"trust-policy --config /none --tenant alpha", 1, "policy file: /none"},
		{"check --config /none --runner-config /none", 1, "/none"},
	} {
		if c.args == "explain --job x --runner-tenant A" {
			w := newWorld(t)
			c.args = "explain --no-policy --runner-tenant A --job " + w.job(t, "")
		}
		got := run("", strings.Fields(c.args)...)
		if got.code != c.code || !strings.Contains(got.out+got.errors, c.says) {
			t.Errorf("rolecall %s: exit code %d, want %d with %q in\n%s%s", c.args, got.code, c.code, c.says, got.out, got.errors)
		}
	}
}

func TestTrustPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	got := run("", "trust-policy", "--config", policy, "--tenant", "alpha")
	var document map[string]any
	if err := json.Unmarshal([]byte(got.out), &document); err != nil || got.code != 0 || document["Version"] != "2012-10-17" {
		t.Errorf("exit code %d, %v: standard output is not the trust policy alone\n%s", got.code, err, got.out)
	}
	for _, want := range []string{"aws iam create-role", "# warning: refs: ", "# warning: duration: "} {
		if !strings.Contains(got.errors, want) {
			t.Errorf("%q is not in\n%s", want, got.errors)
		}
	}
	got = run("", "trust-policy", "--config", policy, "--tenant", "alpha", "--terraform")
	if got.code != 0 || got.errors != "" || !strings.Contains(got.out, `resource "aws_iam_role" "rolecall_alpha"`) {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
	got = run("", "trust-policy", "--config", policy, "--tenant", "gamma")
	if got.code != 1 || got.out != "" || !strings.Contains(got.errors, `no tenant "gamma"`) {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
}

// TestCheck runs the command itself; what it looks for is tested in its package.
func TestCheck(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	w := newWorld(t)
	w.policy = strings.Replace(w.policy, "[gitlab]", "[sts]\nendpoint = \"http://"+listener.Addr().String()+"\"\n[gitlab]", 1)
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	args := []string{"check", "--config", policy, "--runner-config", w.write(t, "config.toml", nil)}
	got := run("", args...)
	if got.code != 1 || !strings.HasPrefix(got.out, "to fix\n  CK") || !regexp.MustCompile(`\n\n[1-9]\d* to fix, \d+ to look at, \d+ fine\n$`).MatchString(got.out) || !strings.Contains(got.out, "\n  CK95  STS  ") || got.errors != "" {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
	got = run("", append(args, "--json")...)
	var findings []struct{ ID, Area, What, State, Do string }
	if err := json.Unmarshal([]byte(got.out), &findings); err != nil || got.code != 1 || len(findings) < 5 {
		t.Errorf("exit code %d, %v:\n%s", got.code, err, got.out)
	}
	for _, f := range findings {
		if f.Area == "" || f.What == "" || f.State == "" || (f.ID == "" || f.Do == "") != (f.State == "ok") {
			t.Errorf("a finding is empty: %+v", f)
		}
	}
}

// TestBrokenPipe: who stops reading gets an exit code that is not that of health.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	closed, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	w := newWorld(t)
	if code := runTo(closed, "trust-policy", "--config", w.write(t, "rolecall.toml", []byte(w.policy)), "--tenant", "alpha"); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
}
