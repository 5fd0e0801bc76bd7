package prepare_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/handover"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestExpected: a job that expects values which it does not get fails before anything runs, says why
// for each, and leaves nothing.
func TestExpected(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	const here = "no job that has ended has handed it over in this pipeline to this tenant and trust class, on this host: what jobs on other hosts hand over is not seen here"
	for name, test := range map[string]struct {
		change func(t *testing.T, c *call)
		want   string
	}{
		"nobody": {setting("CUSTOM_ENV_ROLECALL_EXPECT=DB_URL, VERSION"), "[RC114]: the job expects values that it does not get: DB_URL, VERSION: DB_URL: " + here},
		"expired": {func(t *testing.T, c *call) {
			t.Helper()
			c.hand(t, scopeOf(c.host), "old", time.Now().Add(-time.Second), "DB_URL=oldvalue")
			c.set("CUSTOM_ENV_ROLECALL_EXPECT=DB_URL")
		}, "[RC114]: the job expects values that it does not get: DB_URL"},
		"a clash": {func(t *testing.T, c *call) {
			t.Helper()
			c.hand(t, scopeOf(c.host), "one", soon(), "DB_URL=onevalue")
			c.hand(t, scopeOf(c.host), "two", soon(), "DB_URL=twovalue", "OTHER=x")
			c.set("CUSTOM_ENV_ROLECALL_EXPECT=DB_URL OTHER")
		}, `[RC114]: the job expects values that it does not get: DB_URL`},
		"another class": {func(t *testing.T, c *call) {
			t.Helper()
			s := scopeOf(c.host)
			s.Class = "unprotected"
			c.hand(t, s, "one", soon(), "DB_URL=onevalue")
			c.set("CUSTOM_ENV_ROLECALL_EXPECT=DB_URL")
		}, "[RC114]: "},
		"no store": {func(t *testing.T, c *call) {
			t.Helper()
			c.edit(t, "rolecall.toml", "[handover]\nstore = \"local\"\nmax_age = \"90m\"\n", "")
			*c = call{host: c.host, args: c.args, environ: newCall(t, c.host).environ, out: c.out}
			c.set("CUSTOM_ENV_ROLECALL_EXPECT=DB_URL")
		}, "[RC114]: the job expects values that it does not get: DB_URL"},
		"no name of the job": {func(t *testing.T, c *call) {
			t.Helper()
			c.edit(t, "response.json", `"name": "use: [alpha]", `, "")
			c.set("CUSTOM_ENV_ROLECALL_EXPECT=DB_URL")
		}, "[RC114]: "},
		"no name":     {setting("CUSTOM_ENV_ROLECALL_EXPECT=DB-URL"), "[RC105]: ROLECALL_EXPECT: the name of a variable is not made of letters"},
		"a bad store": {func(t *testing.T, c *call) { t.Helper(); c.write(t, "root/handover", "") }, "[RC500]: what earlier jobs have handed over cannot be read: "},
	} {
		c := newReader(t, gitlab)
		test.change(t, c)
		got := c.serve()
		code := map[bool]int{true: 2, false: 1}[strings.HasPrefix(test.want, "[RC500]")]
		left := slices.DeleteFunc(c.left(), func(name string) bool { return strings.HasSuffix(name, "/handover") })
		if got.code != code || !strings.HasPrefix(got.log, "rolecall: error "+test.want) || len(left) > 0 || strings.Contains(got.log, "value\n") {
			t.Errorf("%s: %+v\nwant %q, left %q", name, got, test.want, left)
		}
		if line := lastLine(t, c.host); line.Event != audit.Failed {
			t.Errorf("%s: the audit log has %+v", name, line)
		}
	}
}

// TestExpectedWithout: a job without a tenant that expects values fails too.
func TestExpectedWithout(t *testing.T) {
	t.Parallel()
	c := newReader(t, newGitLab(t))
	c.unset("CUSTOM_ENV_TENANT")
	c.unset("CUSTOM_ENV_ALPHA_TOKEN")
	c.set("CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+c.file("builds/none/protected/deploy.tmp"), "CUSTOM_ENV_ROLECALL_EXPECT=DB_URL")
	got := c.serve()
	if got.code != 1 || !strings.Contains(got.log, "DB_URL: the job has no tenant, and only jobs of a tenant get such values") || len(c.left()) > 0 {
		t.Errorf("%+v, left %q", got, c.left())
	}
}

// TestTakenUntold: what the audit log does not have is not given.
func TestTakenUntold(t *testing.T) {
	t.Parallel()
	c := newReader(t, newGitLab(t))
	c.hand(t, scopeOf(c.host), "make", soon(), "VERSION=1.2")
	c.stores = []func(){func() { kit.Must(t, os.Chmod(c.file("audit"), 0o622)) }}
	got := c.serve()
	left := slices.DeleteFunc(c.left(), func(name string) bool { return strings.HasSuffix(name, "/handover") })
	if got.code != 1 || !strings.HasPrefix(got.log, "rolecall: error [RC308]: audit log ") || len(left) > 0 {
		t.Errorf("%+v, left %q", got, left)
	}
}

// shelf is the store of this host, which a test can hear.
type shelf struct {
	state.Local

	c *call
}

func (s shelf) List(ctx context.Context, w handover.Way, of handover.Scope) (handover.Listing, error) {
	for _, heard := range s.c.stores {
		heard()
	}
	if len(w.Set) != 1 || len(w.Service) == 0 || !w.Settings.On() {
		return handover.Listing{}, errors.New("the way is not known")
	}
	return s.Local.List(ctx, w, of)
}

// parcels returns the files of what was handed over.
func parcels(t *testing.T, h *host) []string {
	t.Helper()
	found, err := filepath.Glob(h.file("root/handover/*/*/*"))
	kit.Must(t, err)
	return found
}

// keyOf returns the key of the job of a host.
func keyOf(t *testing.T, h *host) job.Key {
	t.Helper()
	key, err := job.ReadKey(h.file("response.json"))
	kit.Must(t, err)
	return key
}
