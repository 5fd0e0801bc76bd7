package policyfile_test

import (
	"strings"
	"testing"

	"rolecall/internal/tenant"
)

// TestNoHint: of a key that is like no other there is nothing to say, however long it is.
func TestNoHint(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"role", "x", "nam", strings.Repeat("projects", 100_000)} {
		want := "/etc/p.toml:8: unknown key " + tenant.Quote(key) + " in [tenant]"
		if got := refused(t, minimal+key+" = 1\n"); len(got) != 1 || got[0] != want {
			t.Errorf("%.20s: %q, want %q", key, got, want)
		}
	}
}
