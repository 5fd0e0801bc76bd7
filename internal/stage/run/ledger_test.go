package run_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/ledger/seal"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

const (
	otherID     = "ASIA" + "Q3XYZ7ABCDEFGHIJ"
	otherSecret = "abcdefghijklmnopqrst" + "ABCDEFGH/JKLMNOP+RST"
)

// enter puts credentials into the ledger of the call's root that were issued to a job.
func (c *call) enter(t *testing.T, id int64, expires time.Time, secret ...mask.Named) {
	t.Helper()
	f, err := state.Open(c.root, job.Key{ID: 7})
	kit.Must(t, err)
	defer f.Close()
	set := creds.Set{{Provider: "cloud", Facts: creds.Facts{{Name: "id", Value: otherID}}, Secrets: secret, Expires: expires}}
	kit.Must(t, f.Enter(func(l ledger.Ledger) ledger.Ledger { return seal.Add(l, id, set, time.Now()) }))
}

// named returns a text as a secret.
func named(kind, text string) mask.Named { return mask.Named{Kind: kind, Value: mask.NewSecret(text)} }

// TestUploadOfOthers: what was issued to another job and is still valid is not uploaded,
// by a job of any tenant or of none, whatever the policy file says of foreign keys. It is
// not masked in the log.
func TestUploadOfOthers(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	const refused = "rolecall: error [RC108]: secrets are in what would be uploaded, and nothing is; "
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	for name, test := range map[string]struct {
		tenant, content string
		expires         time.Time
		want            string // the kinds; empty: the upload goes on
	}{
		"a secret":           {"alpha", "x=" + otherSecret + "\n", later, "secret of job 6"},
		"of no tenant":       {"", "x=" + otherSecret + "\n", later, "secret of job 6"},
		"a key id":           {"", "x=" + otherID + "\n", later, "key id of job 6"},
		"a key id in base64": {"", "eDpB" + "U0lBUTNYWVo3QUJDREVGR0hJSg==", later, "key id of job 6"},
		"both":               {"alpha", otherID + " " + otherSecret, later, "key id of job 6, secret of job 6"},
		"with its own":       {"alpha", otherSecret + " 0123456789abcdef", later, "secret, secret of job 6"},
		"expired":            {"", otherID + otherSecret, before, ""},
		"another":            {"alpha", strings.ToLower(otherSecret), later, ""},
	} {
		c := newUploadOf(t, test.tenant, "upload_artifacts_on_success", `{"foreign_keys":"off","max_bytes":1000000,"max_duration":60000000000}`, map[string]string{"a": test.content})
		c.enter(t, 6, test.expires, named("key id", otherID), named("secret", otherSecret))
		got := c.with(treed{&toy.Backend{}})
		switch {
		case test.want == "" && (got.code != 0 || got.log != ""):
			t.Errorf("%s: %+v, want an upload", name, got)
		case test.want != "" && (got.code != 1 || got.out != "" || !strings.HasPrefix(got.log, refused) || !strings.HasSuffix(got.log, "\n  artifacts: \"out/a\": "+test.want+" (removed from the work tree)\n")):
			t.Errorf("%s: %+v, want %q", name, got, test.want)
		}
	}
}

// TestUploadOwn: what was issued to the job itself is named as its own, and what an
// earlier attempt at the job got is not forgotten.
func TestUploadOwn(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	c := newUpload(t, "upload_artifacts_on_success", `{"max_bytes":1000000,"max_duration":60000000000}`, map[string]string{"a": "0123456789abcdef", "b": otherSecret})
	c.enter(t, 7, time.Now().Add(time.Hour), named("secret", "0123456789abcdef"))
	c.enter(t, 7, time.Now().Add(time.Hour), named("secret", otherSecret))
	if got, want := c.with(treed{&toy.Backend{}}), "\n  artifacts: \"out/a\": secret (removed from the work tree)\n  artifacts: \"out/b\": secret of job 7 (removed from the work tree)\n"; got.code != 1 || !strings.HasSuffix(got.log, want) {
		t.Errorf("%+v, want %q", got, want)
	}
}

// TestUploadLeftovers: who keeps what earlier jobs left in the clone is told so.
func TestUploadLeftovers(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	const hint = "\nGIT_STRATEGY is \"none\", so files of earlier jobs stay in the clone: with fetch or clone they go.\n"
	for strategy, want := range map[string]bool{"none": true, "fetch": false} {
		c := newUpload(t, "upload_artifacts_on_success", `{"max_bytes":1000000,"max_duration":60000000000}`, map[string]string{"b": otherSecret})
		c.environ = append(c.environ, "CUSTOM_ENV_GIT_STRATEGY="+strategy)
		c.enter(t, 6, time.Now().Add(time.Hour), named("secret", otherSecret))
		if got := c.with(treed{&toy.Backend{}}); got.code != 1 || strings.HasSuffix(got.log, hint) != want {
			t.Errorf("%s: %+v", strategy, got)
		}
	}
}

// TestUploadBrokenLedger: nothing is uploaded, by no job, if nobody knows what was issued.
// A job that uploads nothing goes on.
func TestUploadBrokenLedger(t *testing.T) {
	t.Parallel()
	for stage, code := range map[string]int{"archive_cache": 1, "build_script": 0} {
		c := newCall(t, "", stage)
		kit.Must(t, os.WriteFile(filepath.Join(c.root, "ledger"), []byte("garbage\n"), 0o600))
		got := c.with(treed{&toy.Backend{}})
		if got.code != code || code == 1 && !strings.HasPrefix(got.log, "rolecall: error [RC314]: "+c.root+"/ledger, the list of what was issued: line 1 is not") {
			t.Errorf("%s: %+v", stage, got)
		}
	}
}
