package admin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// TestExplainLooseKeys: keys on disk that others could change verify no token.
func TestExplainLooseKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.withKeys(t)
	if got := w.explain(t, w.token(), "--runner-tenant", "alpha"); got.code != 0 {
		t.Fatalf("exit code %d:\n%s", got.code, got.out)
	}
	kit.Must(t, os.Chmod(filepath.Join(w.dir, "keys.json"), 0o666))
	got := w.explain(t, w.token(), "--runner-tenant", "alpha")
	if got.code != 1 || !strings.Contains(got.out, "keys.json has mode 0666, so others may write to it") || strings.Contains(got.out, "allowed: tenant") {
		t.Errorf("exit code %d:\n%s%s", got.code, got.out, got.errors)
	}
}

// TestNoTrustPolicy: for a role that is not of AWS nothing goes to standard output, which
// admins write to a file.
func TestNoTrustPolicy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	policy := strings.Replace(w.policy, "arn:aws:iam::111122223333:role/deploy-alpha", "arn:minio:iam:::role/dummy-internal", 1)
	path := w.write(t, "rolecall.toml", []byte(policy))
	for _, flags := range [][]string{nil, {"--terraform"}} {
		got := run("", append([]string{"trust-policy", "--config", path, "--tenant", "alpha"}, flags...)...)
		if got.code != 1 || got.out != "" || !strings.Contains(got.errors, "has no account, so it is not a role of AWS") {
			t.Errorf("%q: %+v", flags, got)
		}
	}
}
