package rules_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestVulnerabilities checks what .ci/vulnerabilities makes of each end that
// govulncheck may come to. A script stands for govulncheck, whose answers depend on
// the day and on the network.
func TestVulnerabilities(t *testing.T) {
	t.Parallel()
	const url = "https://db.example"
	tests := []struct {
		does string // by govulncheck
		fine bool
		want string
	}{
		{`[[ $* == "-db https://db.example ./..." ]] && echo "No vulnerabilities found."`, true, ""},
		{`echo "Vulnerability #1: GO-2026-0001"; exit 3`, false, "Vulnerability #1: GO-2026-0001\nvulnerabilities: correct what is listed above (a newer library, or a newer Go)\n"},
		{`echo "govulncheck: fetching vulnerabilities: no such host" >&2; exit 1`, true, "vulnerabilities: NOT LOOKED UP in " + url + ": no such host\n"},
		{`echo "govulncheck: loading packages: a.go:1: expected" >&2; exit 1`, false, "govulncheck: loading packages: a.go:1: expected\nvulnerabilities: correct"},
		{`exit 2`, false, "\nvulnerabilities: correct"},
	}
	for _, test := range tests {
		command := exec.CommandContext(t.Context(), "../../.ci/vulnerabilities", "testdata/govulncheck")
		command.Env = append(os.Environ(), "GOVULNDB="+url, "GOVULNCHECK_DOES="+test.does)
		out, err := command.CombinedOutput()
		if (err == nil) != test.fine || !strings.HasPrefix(string(out), test.want) || test.want == "" && len(out) > 0 {
			t.Errorf("%s: %v, want success: %v\n%s\nwant\n%s", test.does, err, test.fine, out, test.want)
		}
	}
}
