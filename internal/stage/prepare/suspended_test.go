package prepare_test

import (
	"os"
	"testing"

	"rolecall/internal/suspension"
	"rolecall/test/kit"
)

// TestSuspended: a job of a suspended tenant gets nothing, whatever the policy says, and the audit
// log says why. A job without a tenant goes on.
func TestSuspended(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	for name, test := range map[string]struct {
		content, code, want string
	}{
		"its tenant": {`{"format": 1, "suspended": [{"tenant": "alpha", "since": "2026-02-03T04:05:06Z", "reason": "a leak"}]}`, "RC351", `[RC351]: tenant "alpha" is suspended since 2026-02-03 04:05 UTC; ask the runner's admin`},
		"all":        {`{"format": 1, "suspended": [{"all": true, "since": "2026-02-03T04:05:06Z"}]}`, "RC351", `[RC351]: all tenants are suspended since 2026-02-03 04:05 UTC; ask the runner's admin`},
		"broken":     {`{`, "RC352", `[RC352]: it is not known which tenants are suspended, and none gets anything: DIR/suspended.json: unexpected EOF; correct DIR/suspended.json`},
	} {
		c := newCall(t, newHost(t, gitlab))
		checkRefused(t, name, c, refusal{func(t *testing.T, c *call) { c.write(t, "suspended.json", test.content) }, 1, test.want})
		events := c.events(t)
		if len(events) != 1 || events[0].Event != "decision" || *events[0].Allowed || string(events[0].Code) != test.code || events[0].Tenant != "alpha" {
			t.Errorf("%s: the audit log has %+v", name, events)
		}
		c.unset("CUSTOM_ENV_TENANT")
		c.unset("CUSTOM_ENV_ALPHA_TOKEN")
		c.set("CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=" + c.file("builds/none/protected/deploy.tmp"))
		if got := c.serve(); got.code != 0 {
			t.Errorf("%s: a job without a tenant: %+v", name, got)
		}
	}
}

// TestOtherSuspended: a job of another tenant gets what it should.
func TestOtherSuspended(t *testing.T) {
	t.Parallel()
	c := newCall(t, newHost(t, newGitLab(t)))
	kit.Must(t, os.WriteFile(suspension.Beside(c.file("rolecall.toml")).Path, []byte(`{"format": 1, "suspended": [{"tenant": "beta", "since": "2026-02-03T04:05:06Z"}]}`), 0o600))
	if got := c.serve(); got.code != 0 || len(c.cloud.asked) != 1 {
		t.Errorf("%+v, the provider was asked %d times", got, len(c.cloud.asked))
	}
}

// TestSuspendedMeanwhile: a tenant that is suspended while its job waits for its place gets nothing
// either, and nothing is left.
func TestSuspendedMeanwhile(t *testing.T) {
	t.Parallel()
	c := newCall(t, newHost(t, newGitLab(t)))
	checkRefused(t, "meanwhile", c, refusal{func(t *testing.T, c *call) {
		t.Helper()
		c.box.after = func() {
			c.write(t, "suspended.json", `{"format": 1, "suspended": [{"tenant": "alpha", "since": "2026-02-03T04:05:06Z"}]}`)
		}
	}, 1, `[RC351]: tenant "alpha" is suspended since 2026-02-03 04:05 UTC; ask the runner's admin`})
	events := c.events(t)
	if len(events) != 2 || events[1].Event != "failed" || events[1].Code != "RC351" {
		t.Errorf("the audit log has %+v", events)
	}
}
