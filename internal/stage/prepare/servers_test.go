package prepare_test

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestKeys: without keys of the issuer nothing is known of a token. Old keys do for a
// while, with a warning.
func TestKeys(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	h := newHost(t, gitlab)
	gitlab.FailKeys(http.StatusServiceUnavailable)
	checkRefused(t, "no keys", newCall(t, newHost(t, gitlab)), refusal{func(*testing.T, *call) {}, 2, "[RC503]: no keys of " + gitlab.Issuer()})
	gitlab.FailKeys(0)
	if got := newCall(t, h).serve(); got.code != 0 || got.log != "" {
		t.Fatalf("with keys: %+v", got)
	}
	gitlab.FailKeys(http.StatusServiceUnavailable)
	names, err := os.ReadDir(h.file("root/keys"))
	kit.Must(t, err)
	for _, name := range names {
		old := regexp.MustCompile(`("(fetched|tried)":)"[^"]*"`).ReplaceAllString(h.read("root/keys/"+name.Name()), `$1"`+time.Now().Add(-2*time.Hour).Format(time.RFC3339)+`"`)
		h.write(t, "root/keys/"+name.Name(), old)
	}
	if got := newCall(t, h).serve(); got.code != 0 || !strings.HasPrefix(got.log, "rolecall: warning: ") || !strings.Contains(got.log, "keys of "+gitlab.Issuer()) {
		t.Errorf("with old keys: %+v, want a warning", got)
	}
}

// TestAuditLog: a decision that cannot be told is not carried out. A refusal is one all
// the same, and then there is a warning.
func TestAuditLog(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	lose := func(t *testing.T, c *call) {
		t.Helper()
		editing("rolecall.toml", c.file("audit"), c.file("none/audit"))(t, c)
	}
	checkRefused(t, "allowed", newCall(t, newHost(t, gitlab)), refusal{lose, 1, "[RC308]: audit log DIR/none/audit: "})
	c := newCall(t, newHost(t, gitlab))
	lose(t, c)
	c.set("CUSTOM_ENV_AWS_PROFILE=x")
	got := c.serve()
	warning, refusal, _ := strings.Cut(got.log, "\n")
	if got.code != 1 || !strings.HasPrefix(warning, "rolecall: warning: audit log "+c.file("none/audit: ")) || !strings.HasPrefix(refusal, "rolecall: error [RC106]: variables of the job would override") {
		t.Errorf("refused: %+v", got)
	}
}

// TestPlace: where the backend cannot take the job, or its folder cannot be made, the
// provider is not asked.
func TestPlace(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	for name, test := range map[string]refusal{
		"backend": {
			func(_ *testing.T, c *call) {
				c.box.fails = fault.New(fault.BadPolicy, errors.New("the box is full"), "empty it")
			}, 1,
			"[RC303]: the box is full; empty it\n",
		},
		"no backend": {func(_ *testing.T, c *call) { c.box.none = true }, 2, "[RC500]: this program has no backend that can run the job\n"},
		"build directory": {func(t *testing.T, c *call) {
			kit.Must(t, os.MkdirAll(c.file("builds/alpha/protected"), 0o700))
			c.write(t, "builds/alpha/protected/deploy.tmp", "")
		}, 2, "[RC500]: build directory: DIR/builds/alpha/protected/deploy.tmp"},
	} {
		checkRefused(t, name, newCall(t, newHost(t, gitlab)), test)
	}
}
