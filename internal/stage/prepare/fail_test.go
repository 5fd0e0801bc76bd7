package prepare_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// brokenPipe is a standard output that nobody reads.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("nobody reads it") }

// failed is the line of the audit log that job 7 was allowed and gets nothing.
func failed(code fault.Code) audit.Event {
	return audit.Event{Event: audit.Failed, Code: code, Tenant: allowed.Tenant, RoleARN: allowed.RoleARN, RoleSessionName: allowed.RoleSessionName}
}

// TestFail: where something fails after the provider was asked nothing is left, and the
// audit log has what was issued by then, and the error without the job's tokens.
func TestFail(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	for name, test := range map[string]struct {
		change func(t *testing.T, c *call)
		code   int
		want   string // how the error begins
		events []audit.Event
	}{
		"the provider": {
			func(_ *testing.T, c *call) {
				c.cloud.fails = fault.New(fault.BadPolicy, errors.New("the server refuses"), "correct it")
			}, 1,
			"[RC303]: tenant \"alpha\": the server refuses; correct it\n",
			[]audit.Event{allowed, failed(fault.BadPolicy)},
		},
		"nobody's mistake": {
			func(_ *testing.T, c *call) { c.cloud.fails = errors.New("no answer") }, 2,
			"[RC500]: tenant \"alpha\": no answer\n",
			[]audit.Event{allowed, failed(fault.Unexpected)},
		},
		"the provider, which quotes the token": {
			func(_ *testing.T, c *call) { c.cloud.fails = errors.New(c.environ[4] + " is odd") }, 2,
			"[RC500]: tenant \"alpha\": CUSTOM_ENV_ALPHA_TOKEN=[MASKED] is odd\n",
			[]audit.Event{allowed, failed(fault.Unexpected)},
		},
		"the provider, which quotes another token of the job": {
			func(_ *testing.T, c *call) {
				other := c.token("7")
				c.set("CUSTOM_ENV_VAULT=jwt " + other)
				c.cloud.fails = errors.New("I got " + other)
			}, 2,
			"[RC500]: tenant \"alpha\": I got [MASKED]\n",
			[]audit.Event{allowed, failed(fault.Unexpected)},
		},
		"an env file that cannot be": {func(_ *testing.T, c *call) {
			c.cloud.gives.Env = []creds.Variable{{Name: "PATH", Value: mask.NewSecret("/x")}}
		}, 2, "[RC500]: variable PATH has a meaning to shells or the loader\n", []audit.Event{allowed, issued, failed(fault.Unexpected)}},
		"a planted copy": {func(t *testing.T, c *call) {
			c.cloud.before = func() { c.write(t, "root/7/issued.json", "{}") }
		}, 2, "[RC500]: DIR/root/7/issued.json: ", []audit.Event{allowed, issued, failed(fault.Unexpected)}},
		"the audit log": {func(t *testing.T, c *call) {
			c.cloud.before = func() { kit.Must(t, os.Chmod(c.file("audit"), 0o622)) }
		}, 1, "[RC308]: audit log DIR/audit: ", []audit.Event{allowed}},
		"the report": {func(_ *testing.T, c *call) { c.out = brokenPipe{} }, 2, "[RC500]: nobody reads it\n", []audit.Event{allowed, issued, failed(fault.Unexpected)}},
	} {
		c := newCall(t, newHost(t, gitlab))
		test.change(t, c)
		got := c.serve()
		if got.code != test.code || !strings.HasPrefix(got.log, "rolecall: error "+strings.ReplaceAll(test.want, "DIR", c.dir)) {
			t.Errorf("%s: %+v, want exit code %d with %q", name, got, test.code, test.want)
		}
		if left := c.left(); len(c.cloud.asked) != 1 || len(left) > 0 {
			t.Errorf("%s: the provider was asked %d times, left %q", name, len(c.cloud.asked), left)
		}
		checkLines(t, name, c, got, test.events)
	}
}

// TestFailHeld: what must be revoked is asked for where prepare fails, is kept if that cannot be
// done, and is kept where prepare succeeds.
func TestFailHeld(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{"issued": nil, "fails": errors.New("no answer")} {
		c := newCall(t, newHost(t, newGitLab(t)))
		c.cloud.holds, c.cloud.fails = creds.Handle{Provider: "toy", Terms: mask.NewSecret("{}"), Until: time.Now().Add(time.Hour)}, fails
		got := c.serve()
		said := strings.Contains(got.log, "the credentials of job 7 are not revoked: the program revoke: ")
		if said != (fails != nil) || (got.code == 0) != (fails == nil) || !state.Holds(c.file("root"), job.Key{ID: 7}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestFailLogins: an error that quotes logins of the job to registries is masked, and so is
// the line of the audit log.
func TestFailLogins(t *testing.T) {
	t.Parallel()
	const auth = "dTpvZiBhIHZhcmlhYmxl" // u:of a variable
	c := newCall(t, newHost(t, newGitLab(t)))
	c.edit(t, "response.json", `"job_info"`, `"credentials":[{"type":"registry","url":"r","username":"u","password":"of the job"},{"type":"registry","password":"x"}],"job_info"`)
	c.set(`CUSTOM_ENV_DOCKER_AUTH_CONFIG={"auths":{"r":{"auth":"` + auth + `"}}}`)
	c.cloud.fails = errors.New("of the job, dTpvZiB0aGUgam9i, of a variable, " + auth)
	got := c.serve()
	if want := "rolecall: error [RC500]: tenant \"alpha\": [MASKED], [MASKED], [MASKED], [MASKED]\n"; got.code != 2 || !strings.HasPrefix(got.log, want) {
		t.Errorf("%+v, want %q", got, want)
	}
	checkLines(t, "logins", c, got, []audit.Event{allowed, failed(fault.Unexpected)})
}

// checkLines checks what the audit log has, which masks what the job log masks.
func checkLines(t *testing.T, name string, c *call, got result, want []audit.Event) {
	t.Helper()
	if diff := cmp.Diff(want, c.events(t)); diff != "" {
		t.Errorf("%s: the audit log differs (- wanted, + got):\n%s", name, diff)
	}
	if log := c.read("audit"); strings.Contains(log, "eyJ") || strings.Contains(got.log, "[MASKED]") != strings.Contains(log, "[MASKED]") {
		t.Errorf("%s: the audit log does not mask as the job log does:\n%s", name, log)
	}
}

// TestFailLedger: nothing is given that the ledger does not have.
func TestFailLedger(t *testing.T) {
	t.Parallel()
	c := newCall(t, newHost(t, newGitLab(t)))
	c.cloud.before = func() { c.write(t, "root/ledger", "garbage") }
	got := c.serve()
	if got.code != 1 || !strings.HasPrefix(got.log, "rolecall: error [RC314]: "+c.dir+"/root/ledger, the list of what was issued: line 1 is not") {
		t.Errorf("%+v", got)
	}
	if left := c.left(); len(left) > 0 || c.read("root/ledger") != "garbage" {
		t.Errorf("left %q", left)
	}
}
