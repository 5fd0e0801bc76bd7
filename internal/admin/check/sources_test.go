package check_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/vault"
)

// TestHelper: the helper of a source must be a program that only root can change.
func TestHelper(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.Providers = append(h.Providers, external.Exec{})
	for name, mode := range map[string]os.FileMode{"good": 0o755, "open": 0o757, "text": 0o644} {
		h.write(t, "etc/"+name, "#!/bin/sh\n", mode)
	}
	for i, name := range []string{"good", "open", "text", "none"} {
		h.policy += fmt.Sprintf("[[tenant.source]]\nname = %q\nprovider = \"exec\"\ncommand = [%q]\nsets = [\"A_%d\"]\n", name, h.path("etc/"+name), i)
	}
	named(t, h.check(t),
		want{check.OK, `source "good" of beta`, "etc/good"}, want{check.Fix, `source "open" of beta`, "etc/open has mode 0757"},
		want{check.Fix, `source "text" of beta`, "etc/text is not executable"}, want{check.Fix, `source "none" of beta`, "etc/none: no such file"})
}

// TestUnseenRole: what nobody can see of a role of Vault without a token, the admin is told to look at.
func TestUnseenRole(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.Providers = append(h.Providers, vault.Provider{})
	h.policy += "[[tenant.source]]\nname = \"db\"\nprovider = \"vault\"\naddress = \"http://127.0.0.1:1\"\nrole = \"deploy\"\nauth_path = \"ci\"\ntoken = true\n"
	findings := h.check(t)
	named(t, findings, want{check.Look, `source "db" of beta`, "cannot see the role deploy"}, want{check.Fix, "sources", "http://127.0.0.1:1: no credentials: the server 127.0.0.1:1"})
	for _, f := range findings {
		if f.State == check.Look && f.Area == `source "db" of beta` && !strings.HasPrefix(f.Do, "look by: vault read auth/ci/role/deploy; user_claim should be job_id") {
			t.Error(f.Do)
		}
	}
}
