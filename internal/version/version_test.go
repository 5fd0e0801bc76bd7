package version_test

import (
	"testing"

	"rolecall/internal/version"
)

func TestLong(t *testing.T) { //nolint:paralleltest // it sets what the linker sets
	defer version.Set("", "")
	for _, test := range []struct{ commit, date, want string }{
		{"", "", version.Version},
		{"1c2f8a90d3e4", "", version.Version + " (commit 1c2f8a90d3e4)"},
		{"", "2026-11-26", version.Version + " (2026-11-26)"},
		{"1c2f8a90d3e4", "2026-11-26", version.Version + " (commit 1c2f8a90d3e4, 2026-11-26)"},
	} {
		version.Set(test.commit, test.date)
		if got := version.Long(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}
