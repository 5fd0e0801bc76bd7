package client_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/fault"
	"rolecall/internal/mask"
)

// dynamic is a read of a user of a database, and its answer.
var dynamic = vault.Read{
	Path: "database/creds/deploy",
	Env: []vault.Pair{
		{Name: "DATABASE_URL", Template: "postgres://{username|url}:{password|url}@db/app"},
		{Name: "PGPASSWORD", Template: "{password}"},
		{Name: "PGUSER", Template: "{username}"},
		{Name: "PGPORT", Template: "{port}"},
		{Name: "PGHOST", Template: "db"},
	},
	Plain: []string{"PGUSER", "port", "PGHOST"},
}

func user(more string) http.HandlerFunc {
	return said(http.StatusOK, `{"lease_id":"database/creds/deploy/x","lease_duration":600,"renewable":true`+more+`,"data":{"username":"v-jwt","password":"p/SECRET &word","port":5432}}`)
}

// TestIssue: a job gets the values of its templates. The whole of what is secret is masked, and each
// secret part of it; the lease says when it ends; the token is held, and nothing else is asked.
func TestIssue(t *testing.T) {
	t.Parallel()
	s := start(t, answers{"database/creds/deploy": user("")}, httptest.NewServer)
	o := from(s.URL, dynamic)
	o.terms.Namespace = "team"
	o.job.Facts = creds.Facts{{Name: vault.RoleFact, Value: "deploy of auth/jwt"}}
	c, err := o.issue(t)
	if err != nil || c.Provider != "vault" || c.Name != "db" || (creds.Set{c}).Check() != nil {
		t.Fatalf("%v, %v", err, (creds.Set{c}).Check())
	}
	env, files, secrets := environ(c)
	const url = "postgres://v-jwt:p%2FSECRET%20%26word@db/app"
	if diff := cmp.Diff(map[string]string{"DATABASE_URL": url, "PGPASSWORD": "p/SECRET &word", "PGUSER": "v-jwt", "PGPORT": "5432", "PGHOST": "db"}, env); diff != "" || len(files) > 0 {
		t.Errorf("%v\n%s", files, diff)
	}
	if diff := cmp.Diff(map[string]string{url: "value of DATABASE_URL", "p/SECRET &word": "value of PGPASSWORD"}, secrets); diff != "" {
		t.Error(diff)
	}
	if left := time.Until(c.Expires); left > 10*time.Minute || left < 9*time.Minute {
		t.Errorf("it ends in %v", left)
	}
	want := []string{
		"POST /v1/auth/jwt/login  team " + `{"jwt":"` + idToken + `","role":"deploy"}`,
		"GET /v1/database/creds/deploy " + vaultToken + " team ",
	}
	if diff := cmp.Diff(want, s.calls()); diff != "" {
		t.Error(diff)
	}
	if len(o.held) != 1 || o.held[0].Provider != "vault" || o.held[0].Name != "db" || !strings.Contains(o.held[0].Terms.Reveal(), vaultToken) {
		t.Errorf("held: %v", o.held)
	}
	if left := time.Until(o.held[0].Until); left > time.Hour || left < 59*time.Minute {
		t.Errorf("the token ends in %v", left)
	}
}

// TestMaskedApart: a script that takes a value apart prints nothing of it: the parts are masked, also
// as they are in a URL.
func TestMaskedApart(t *testing.T) {
	t.Parallel()
	s := start(t, answers{"database/creds/deploy": user("")}, httptest.NewServer)
	read := dynamic
	read.Env = read.Env[:1]
	read.Plain = []string{"username"}
	c, err := from(s.URL, read).issue(t)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	masks := mask.NewMasks()
	if err := masks.Add(c.Secrets...); err != nil {
		t.Fatal(err)
	}
	w := masks.Writer(&out)
	_, _ = w.Write([]byte("p/SECRET &word p%2FSECRET%20%26word v-jwt\n"))
	_ = w.Close()
	if got := out.String(); got != "[MASKED] [MASKED] v-jwt\n" {
		t.Errorf("%q", got)
	}
}

// TestStores: both versions of the store of keys and values give their fields, and files have what
// has several lines. Without a lease nothing ends.
func TestStores(t *testing.T) {
	t.Parallel()
	s := start(t, answers{
		"kv/app":          said(200, `{"lease_id":"","lease_duration":2764800,"data":{"key":"FIRSTSECRET","data":{"a":1}}}`),
		"secret/data/app": said(200, `{"lease_id":"","lease_duration":0,"data":{"data":{"key":"-----BEGIN\nSECONDSECRET\n","big":12345678901234567890,"tree":{"a":"LEAFSECRET","b":["x",123456789]}},"metadata":{"version":3,"created_time":"x"}}}`),
	}, httptest.NewServer)
	o := from(s.URL, vault.Read{Path: "kv/app", Env: []vault.Pair{{Name: "A", Template: "{key}"}, {Name: "B", Template: "{data|json}"}}, Plain: []string{"B"}},
		vault.Read{Path: "secret/data/app", Env: []vault.Pair{{Name: "BIG", Template: "{big}"}}, Files: []vault.Pair{{Name: "KEY_FILE", Template: "{key}"}, {Name: "TREE", Template: "{tree|json}\n"}}})
	o.job.Lifetime = time.Hour
	c, err := o.issue(t)
	if err != nil || (creds.Set{c}).Check() != nil {
		t.Fatal(err)
	}
	env, files, secrets := environ(c)
	if diff := cmp.Diff(map[string]string{"A": "FIRSTSECRET", "B": `{"a":1}`, "BIG": "12345678901234567890"}, env); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"KEY_FILE": "-----BEGIN\nSECONDSECRET\n", "TREE": `{"a":"LEAFSECRET","b":["x",123456789]}` + "\n"}, files); diff != "" {
		t.Error(diff)
	}
	masked := map[string]string{
		"FIRSTSECRET": "value of A", "12345678901234567890": "value of BIG", "-----BEGIN\nSECONDSECRET\n": "part of KEY_FILE",
		"LEAFSECRET": "part of TREE", "123456789": "part of TREE",
	}
	if diff := cmp.Diff(masked, secrets); diff != "" || !c.Expires.IsZero() {
		t.Errorf("until %v\n%s", c.Expires, diff)
	}
	if notes := (client.Provider{}).Report(c.Facts).Notes; len(o.held) != 1 || notes != nil {
		t.Errorf("held %d, notes %q", len(o.held), notes)
	}
}

// TestToken: scripts get the token itself if the policy file says so, and what its tools need.
func TestToken(t *testing.T) {
	t.Parallel()
	s := start(t, nil, httptest.NewTLSServer)
	o := from(s.URL)
	o.terms.Token, o.terms.Namespace, o.terms.CA = true, "team", bundle(s.Server)
	c, err := o.issue(t)
	if err != nil || (creds.Set{c}).Check() != nil {
		t.Fatal(err)
	}
	env, files, secrets := environ(c)
	if diff := cmp.Diff(map[string]string{"VAULT_TOKEN": vaultToken, "VAULT_ADDR": s.URL, "VAULT_NAMESPACE": "team"}, env); diff != "" {
		t.Error(diff)
	}
	if files["VAULT_CACERT"] != string(o.terms.CA) || secrets[vaultToken] == "" || len(secrets) != 1 {
		t.Errorf("%v, %v", files, secrets)
	}
	if left := time.Until(c.Expires); left > time.Hour || left < 59*time.Minute {
		t.Errorf("it ends in %v", left)
	}
}

// TestEnds: a credential ends with its first lease or with the token, and a job that may last longer
// is told.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lease, token string
		lifetime     time.Duration
		want         time.Duration
		early        bool
	}{
		"a short lease":      {"60", "3600", time.Hour, time.Minute, true},
		"a short token":      {"7200", "3600", 90 * time.Minute, time.Hour, true},
		"as long":            {"7200", "3600", time.Hour, time.Hour, false},
		"long enough":        {"7200", "3600", 50 * time.Minute, time.Hour, false},
		"no known time":      {"60", "3600", 0, time.Minute, false},
		"ten years":          {"315360000", "3600", time.Minute, time.Hour, false},
		"longer than a time": {"9223372036854775807", "9223372036854775807", time.Minute, 100 * 365 * 24 * time.Hour, false},
	} {
		s := start(t, answers{
			"database/creds/deploy": user(`,"lease_duration":` + test.lease), "auth/jwt/login": loggedIn(`,"lease_duration":` + test.token),
		}, httptest.NewServer)
		o := from(s.URL, dynamic)
		o.job.Lifetime = test.lifetime
		c, err := o.issue(t)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if off := time.Until(c.Expires) - test.want; off.Abs() > time.Minute/2 {
			t.Errorf("%s: it ends at %v", name, c.Expires)
		}
		notes := client.Provider{}.Report(c.Facts).Notes
		if test.early != slices.ContainsFunc(notes, func(note string) bool { return strings.Contains(note, "before the timeout of the job") }) {
			t.Errorf("%s: notes %q", name, notes)
		}
	}
}

// TestFirstLease: of several leases the one that ends first counts, whichever was read first.
func TestFirstLease(t *testing.T) {
	t.Parallel()
	lease := func(seconds string) http.HandlerFunc {
		return said(http.StatusOK, `{"lease_id":"x","lease_duration":`+seconds+`,"data":{"key":"FIRSTSECRET"}}`)
	}
	s := start(t, answers{"a": lease("1200"), "b": lease("300"), "c": lease("600")}, httptest.NewServer)
	c, err := from(s.URL, vault.Read{Path: "a"}, vault.Read{Path: "b"}, vault.Read{Path: "c"}).issue(t)
	if left := time.Until(c.Expires); err != nil || (left-5*time.Minute).Abs() > 30*time.Second {
		t.Errorf("it ends in %v, %v", left, err)
	}
}

// TestBatch: a batch token serves what has no lease, and is not held.
func TestBatch(t *testing.T) {
	t.Parallel()
	batch := said(200, `{"auth":{"client_token":"`+vaultToken+`","accessor":"","token_type":"batch","lease_duration":3600}}`)
	s := start(t, answers{"auth/jwt/login": batch, "database/creds/deploy": user(""), "kv/app": said(200, `{"data":{"key":"FIRSTSECRET"}}`)}, httptest.NewServer)
	o := from(s.URL, vault.Read{Path: "kv/app", Env: []vault.Pair{{Name: "A", Template: "{key}"}}})
	c, err := o.issue(t)
	if err != nil || len(o.held) != 0 {
		t.Errorf("%v, held %v", err, o.held)
	}
	if notes := (client.Provider{}).Report(c.Facts).Notes; len(notes) != 1 || !strings.Contains(notes[0], "a batch token, which nobody can revoke") {
		t.Errorf("notes %q", notes)
	}
	o = from(s.URL, dynamic)
	_, err = o.issue(t)
	if fault.CodeOf(err) != fault.BadSource || !strings.Contains(err.Error(), "batch tokens") || !strings.Contains(err.Error(), "token_type=service") || len(o.held) != 0 {
		t.Errorf("%v, held %v", err, o.held)
	}
}

// TestReport: the job log shows where what a job has comes from.
func TestReport(t *testing.T) {
	t.Parallel()
	facts := creds.Facts{{Name: vault.ServerFact, Value: "s"}, {Name: vault.NamespaceFact, Value: "n"}, {Name: vault.RoleFact, Value: "r"}, {Name: vault.VariablesFact, Value: "A B"}}
	want := creds.Report{Rows: []creds.Row{{Label: "server", Value: "s"}, {Label: "namespace", Value: "n"}, {Label: "role", Value: "r"}, {Label: "sets", Value: "A, B"}}}
	if diff := cmp.Diff(want, client.Provider{}.Report(facts)); diff != "" {
		t.Error(diff)
	}
}
