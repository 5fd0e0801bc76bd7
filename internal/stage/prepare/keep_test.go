package prepare_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/ledger"
	"rolecall/test/kit"
)

// entries returns what the ledger has, as the kind and in how many minutes it expires.
func (h *host) entries(t *testing.T) []string {
	t.Helper()
	l, err := ledger.Parse([]byte(h.read("root/ledger")))
	kit.Must(t, err)
	var all []string
	for _, e := range l.Entries {
		all = append(all, fmt.Sprintf("%s of %d, %.0f", e.Kind, e.Job, time.Until(e.Expires).Minutes()))
	}
	return all
}

// TestLedgerFirst: the ledger has what is issued before any file has it. Where the files then
// cannot be written, the ledger has it all the same.
func TestLedgerFirst(t *testing.T) {
	t.Parallel()
	c := newCall(t, newHost(t, newGitLab(t)))
	c.cloud.before = func() { c.write(t, "root/7/issued.json", "{}") }
	if got := c.serve(); got.code != 2 || !strings.Contains(got.log, "/root/7/issued.json: ") || len(c.left()) > 0 {
		t.Fatalf("%+v, left %q", got, c.left())
	}
	if got := c.entries(t); !slices.Contains(got, "secret of 7, 60") {
		t.Errorf("the ledger has %q", got)
	}
}

// TestTokensInLedger: the ID tokens of a job are in the ledger until they expire, with a
// tenant or without. What an author makes up takes no place for long, nor that of the token
// that was verified.
func TestTokensInLedger(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	for name, test := range map[string]struct {
		change func(c *call)
		want   []string
	}{
		"one":          {func(*call) {}, []string{"ID token of 7, 60", "secret of 7, 60"}},
		"two":          {func(c *call) { c.set("CUSTOM_ENV_VAULT=jwt " + c.tokenFor(30)) }, []string{"ID token of 7, 60", "ID token of 7, 30", "secret of 7, 60"}},
		"made up":      {func(c *call) { c.set("CUSTOM_ENV_X=" + c.tokenFor(1e6)) }, []string{"ID token of 7, 60", "ID token of 7, 120", "secret of 7, 60"}},
		"without end":  {func(c *call) { c.set("CUSTOM_ENV_X=" + c.tokenFor(0)) }, []string{"ID token of 7, 60", "ID token of 7, 120", "secret of 7, 60"}},
		"another's":    {func(c *call) { c.set("CUSTOM_ENV_X=" + c.token("8")) }, []string{"ID token of 7, 60", "secret of 7, 60"}},
		"no tenant":    {func(c *call) { c.set("CUSTOM_ENV_TENANT=") }, []string{"ID token of 7, 60"}},
		"more than 10": {func(c *call) { c.set("CUSTOM_ENV_X=" + c.tokensFor(30)) }, slices.Concat([]string{"ID token of 7, 60"}, slices.Repeat([]string{"ID token of 7, 30"}, 9), []string{"secret of 7, 60"})},
	} {
		c := newCall(t, newHost(t, gitlab))
		if test.change(c); strings.HasPrefix(name, "no ") {
			c.set("CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=" + c.file("builds/none/protected/deploy.tmp"))
		}
		if got := c.serve(); got.code != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		if got := c.entries(t); !slices.Equal(got, test.want) {
			t.Errorf("%s: the ledger has %q, want %q", name, got, test.want)
		}
	}
}

// tokenFor returns another token of job 7, which expires in some minutes; 0: never.
func (h *host) tokenFor(minutes int64) string {
	claims := map[string]any{"job_id": "7", "job_project_id": "42", "jti": fmt.Sprint(time.Now())}
	if minutes != 0 {
		claims["exp"] = time.Now().Add(time.Duration(minutes) * time.Minute).Unix()
	}
	return h.gitlab.SignToken(claims)
}

// tokensFor returns many tokens of job 7.
func (h *host) tokensFor(minutes int64) string {
	var all []string
	for range 15 {
		all = append(all, h.tokenFor(minutes))
	}
	return strings.Join(all, " ")
}

// TestNoTenantLedger: a job that gets nothing goes on with a ledger that cannot be read.
func TestNoTenantLedger(t *testing.T) {
	t.Parallel()
	c := newCall(t, newHost(t, newGitLab(t)))
	c.set("CUSTOM_ENV_TENANT=", "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+c.file("builds/none/protected/deploy.tmp"))
	c.write(t, "root/ledger", "garbage")
	if got := c.serve(); got.code != 0 || !strings.Contains(got.log, "rolecall: warning: "+c.root+"/ledger, the list of what was issued: line 1") {
		t.Errorf("%+v", got)
	}
}
