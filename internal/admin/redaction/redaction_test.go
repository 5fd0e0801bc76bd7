package redaction_test

import (
	"strings"
	"testing"

	"rolecall/internal/admin/redaction"
	"rolecall/test/kit"
)

// check fails the test unless a text has what it should have, and no secret.
func check(t *testing.T, text string, want ...string) {
	t.Helper()
	if strings.Contains(text, "SECRET") {
		t.Errorf("a secret is in\n%s", text)
	}
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

// TestPolicy: a policy file keeps what is known to be no secret: also of a key that is not known,
// of a table that is not known and of a value that is no text nothing is kept.
func TestPolicy(t *testing.T) {
	t.Parallel()
	var s redaction.Secrets
	got, err := s.Policy([]byte(`# SECRET1
audit_log = "/var/log/a.jsonl"
new_key = "SECRET2"
[gitlab]
issuer = "https://gitlab.example.com"
jwks_url = "https://ada:SECRET3@gitlab.example.com/keys?token=SECRET4#SECRET5"
[other]
name = "SECRET6"
[sts]
proxy = "http://SECRET7:@proxy:3128"
[[tenant]]
name = "alpha" # SECRET8
protected = true
projects = ["acme/shop"]
[[tenant.source]]
name = "config"
provider = "static"
env = { name = "SECRET9", B = "SECRET A" }
secret_files = { K = "/SECRET/path" }
command = ["/bin/x", "--key=SECRET10"]
[[tenant.source.chain]]
role_arn = "arn:aws:iam::1:role/x"
external_id = "SECRET11"
tags = { name = "SECRET12" }
number = 123456
`))
	kit.Must(t, err)
	check(t, string(got), "audit_log = '/var/log/a.jsonl'", "new_key = '[REDACTED]'", "issuer = 'https://gitlab.example.com'", "jwks_url = 'https://gitlab.example.com/keys'", "proxy = 'http://proxy:3128'",
		"name = 'alpha'", "protected = true", "projects = ['acme/shop']", "role_arn = 'arn:aws:iam::1:role/x'", "env", "B = '[REDACTED]'", "K = '[REDACTED]'", "number = '[REDACTED]'", "command = ['[REDACTED]', '[REDACTED]']")
	check(t, s.Hide("it says SECRET9, \"SECRET A\" and https://eve:SECRET0@host/x?q=SECRET"), "it says [REDACTED], \"[REDACTED]\" and https://host/x")
	if _, err := s.Policy([]byte("a = 1\nb = SECRET\n")); err == nil || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), "line 2 is no TOML") {
		t.Error(err)
	}
}

// TestRunner: of a runner's configuration the driver's flags and the settings are kept that are no
// secret, and no token, variable or argument of another program.
func TestRunner(t *testing.T) {
	t.Parallel()
	var s redaction.Secrets
	got, err := s.Runner([]byte(`concurrent = 4
sentry_dsn = "https://SECRET1@sentry"
[[runners]]
name = "deploy"
url = "https://u:SECRET2@gitlab.example.com"
token = "glrt-SECRET3"
environment = ["A=SECRET4"]
pre_build_script = "export X=SECRET5"
[runners.custom]
config_exec = "/usr/libexec/rolecall/config"
config_args = ["--config", "/etc/a.toml", "--tenant=alpha", "--no-policy", "SECRET6", "--password", "SECRET7", "--key=SECRET8"]
[runners.cache.s3]
SecretKey = "SECRET9"
name = "SECRET10"
`))
	kit.Must(t, err)
	check(t, string(got), "concurrent = 4", "name = 'deploy'", "url = 'https://gitlab.example.com'", "token = '[REDACTED]'", "config_exec = '/usr/libexec/rolecall/config'",
		"config_args = ['--config', '/etc/a.toml', '--tenant=alpha', '--no-policy', '[REDACTED]', '[REDACTED]', '[REDACTED]', '[REDACTED]']")
}

// TestUnit: of a unit no argument, no value of a variable and no setting is kept that is not known.
func TestUnit(t *testing.T) {
	t.Parallel()
	var s redaction.Secrets
	check(t, s.Unit("# SECRET1\n[Service]\nUser=root\nExecStart=/usr/bin/gitlab-runner run --token SECRET2 \\\n  --x SECRET3\nEnvironment=A=SECRET4 \"B=SECRET5 SECRET6\"\nSetCredential=x:SECRET7\nKillMode=mixed\nExecStop=\n;SECRET8\nDocumentation=https://a:SECRET9@x\n"),
		"[Service]\nUser=root\nExecStart=/usr/bin/gitlab-runner [REDACTED]\nEnvironment=A=[REDACTED] B=[REDACTED]\nSetCredential=[REDACTED]\nKillMode=mixed\nExecStop=\nDocumentation=https://x\n")
	check(t, s.Hide("SECRET2 SECRET4 SECRET6"), "[REDACTED] [REDACTED] [REDACTED]")
}
