package run_test

import (
	"regexp"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/test/toy"
)

// cloud is the provider of what was issued in these tests.
type cloud struct{ aws.Scripts }

func (cloud) Name() string { return "cloud" }

func (cloud) Tells(creds.Facts) (who string, notes []string) {
	return "account 7", []string{"it rains"}
}

// TestAnnounce: before the job's script, and no other, stands who it is and what its author
// must know. Secrets are masked there too.
func TestAnnounce(t *testing.T) {
	t.Parallel()
	const notes = `"notes":[{"text":"no tenant"},{"text":"0123456789abcdef is cut","warn":true}],"backend":`
	const tenant = `CLOUD: tenant alpha, account 7, until 04:05 UTC \(\d+ min\)\nrolecall: warning: it rains\n`
	const noted = `rolecall: no tenant\nrolecall: warning: \[MASKED\] is cut\n`
	for _, test := range []struct {
		tenant, stage, want string
	}{
		{"alpha", "build_script", tenant + noted},
		{"alpha", "step_script", tenant + noted},
		{"alpha", "step_release", ""},
		{"alpha", "after_script", ""},
		{"alpha", "get_sources", ""},
		{"", "build_script", `rolecall: no tenant\nrolecall: warning: 0123456789abcdef is cut\n`},
		{"", "after_script", ""},
	} {
		c := newCall(t, test.tenant, test.stage)
		c.edit(t, `"backend":`, notes)
		got := c.whole(cloud{}, &toy.Backend{})
		if !regexp.MustCompile("^"+test.want+"$").MatchString(got.log) || got.code != 0 {
			t.Errorf("%q, %s: exit code %d, %q, want %q", test.tenant, test.stage, got.code, got.log, test.want)
		}
	}
}
