package run_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/stage/run"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// renewed is the message about a new credential.
func renewed(change func(*creds.Credential)) endpoint.Message {
	c := fresh()
	change(&c)
	return endpoint.Message{Renewed: &endpoint.Renewed{Credential: clear.Reveal(c)}}
}

// kept returns what the state of the job has.
func kept(t *testing.T, c *call) string {
	t.Helper()
	f, err := state.Find(c.root, job.Key{ID: 7})
	kit.Must(t, err)
	defer f.Close()
	set, err := f.Read()
	kit.Must(t, err)
	return set[0].Env[0].Value.Reveal()
}

// TestKept: a renewed credential is masked, in the audit log and in the job's state before the
// endpoint may give it to anybody.
func TestKept(t *testing.T) {
	if !beside(t, endpoint.Program) {
		return
	}
	c := newCallWith(t, "alpha", "build_script", creds.Set{served(50 * time.Minute)}, order()).audited(t)
	c.write(t, "script", "fedcba9876543210\n")
	m := renewed(func(*creds.Credential) {})
	m.Warning = "it is new"
	a, got := ask(t, c, m, func() {})
	if !a.Kept || a.Why != "" || got.code != 0 || strings.Contains(got.out, "fedcba") || !strings.Contains(got.log, "rolecall: warning: it is new\n") {
		t.Errorf("%+v, %+v", a, got)
	}
	if is := kept(t, c); is != "fedcba9876543210" {
		t.Errorf("the state has %s", is)
	}
	events := c.events(t)
	if len(events) == 0 || events[0].Event != audit.Renewed {
		t.Errorf("the audit log has %+v", events)
	}
}

// TestNotKept: a credential that is not the job's, or that cannot be kept as a whole, is not
// given to anybody, and the endpoint is told why.
func TestNotKept(t *testing.T) {
	if !beside(t, endpoint.Program) {
		return
	}
	for name, test := range map[string]struct {
		change func(*creds.Credential)
		before func(c *call)
		why    string
	}{
		"another name":     {change: func(c *creds.Credential) { c.Name = "x" }, why: "the job has no credential cloud x that is renewed"},
		"another provider": {change: func(c *creds.Credential) { c.Provider = "x" }, why: "the job has no credential x that is renewed"},
		"nothing served":   {change: func(c *creds.Credential) { c.Served = nil }, why: "the job has no credential cloud that is renewed"},
		"a short secret":   {change: func(c *creds.Credential) { c.Secrets[0].Value = mask.NewSecret("x") }, why: "mask the log: the secret "},
		"no audit log": {before: func(c *call) {
			kit.Must(t, os.WriteFile(c.file("log/audit"), nil, 0o600))
			kit.Must(t, os.Chmod(c.file("log/audit"), 0o622))
		}, why: "audit log "},
		"no copy": {before: func(c *call) { kit.Must(t, os.Remove(c.state("issued.json"))) }, why: "/issued.json: "},
	} {
		c := newCallWith(t, "alpha", "build_script", creds.Set{served(50 * time.Minute)}, order()).audited(t)
		change, before := func(*creds.Credential) {}, func(*call) {}
		if test.change != nil {
			change = test.change
		}
		if test.before != nil {
			before = test.before
		}
		a, _ := ask(t, c, renewed(change), func() { before(c) })
		if a.Kept || !strings.Contains(a.Why, test.why) {
			t.Errorf("%s: %+v, want %q", name, a, test.why)
		}
		if name != "no copy" && kept(t, c) != "0123456789abcdef" {
			t.Errorf("%s: the state has %s", name, kept(t, c))
		}
	}
}

// TestKilledTooOften: an endpoint that always ends is not started for ever, and then its
// clients are refused.
func TestKilledTooOften(t *testing.T) {
	if !beside(t, endpoint.Program) {
		return
	}
	c := newCallWith(t, "alpha", "build_script", creds.Set{served(0)}, order())
	got := c.with(client{&toy.Backend{}})
	if got.code != 0 || !strings.Contains(got.log, "rolecall: warning: the job's credentials are no longer given to its script: their endpoint was killed too often\n") {
		t.Errorf("%+v", got)
	}
	starts, err := os.ReadFile(besideMe(t, startsFile))
	if n := strings.Count(string(starts), "\n"); err != nil || n != 5 {
		t.Errorf("it was started %d times, %v", n, err)
	}
}

// TestNoProgram: if the endpoint cannot be started, one warning says so, it is not tried again,
// and its clients are refused.
func TestNoProgram(t *testing.T) {
	t.Parallel()
	c := newCallWith(t, "alpha", "build_script", creds.Set{served(0)}, order())
	got := c.with(client{&toy.Backend{}})
	if got.code != 0 || !strings.Contains(got.log, "rolecall: warning: the job's credentials are not given to its script: the job's user cannot start ") ||
		strings.Count(got.log, "given to its script") != 1 {
		t.Errorf("%+v", got)
	}
}

// cut is a toy with no network, no users, or both.
type cut struct {
	*toy.Backend

	network, users error
}

// Network is not there.
func (c cut) Network(_ json.RawMessage, do func() error) error {
	if c.network != nil {
		return c.network
	}
	return do()
}

// Users are not known.
func (c cut) Users(json.RawMessage) ([]backend.Users, error) { return nil, c.users }

// TestUnopened: no script of the user runs without the endpoint that it should have. A script
// that has none needs nothing for it.
func TestUnopened(t *testing.T) {
	t.Parallel()
	network, users := cut{&toy.Backend{}, errors.New("no network"), nil}, cut{&toy.Backend{}, nil, errors.New("no users")}
	both := cut{&toy.Backend{}, network.network, users.users}
	whole, orders := creds.Set{served(0)}, []creds.Order{order()}
	for name, test := range map[string]struct {
		stage  string
		place  run.Backend
		set    creds.Set
		orders []creds.Order
		change func(c *call)
		want   string
	}{
		"no network":          {"build_script", network, whole, orders, nil, "no network"},
		"no users":            {"build_script", users, whole, orders, nil, "no users"},
		"no order":            {"build_script", &toy.Backend{}, whole, nil, nil, "the order of the credential cloud is not in the state of the job"},
		"an order of another": {"build_script", &toy.Backend{}, whole, []creds.Order{{Provider: "cloud", Name: "x"}}, nil, "the order of the credential cloud is not"},
		"a broken ledger":     {"build_script", &toy.Backend{}, whole, orders, func(c *call) { kit.Must(t, os.WriteFile(c.root+"/ledger", []byte("{"), 0o600)) }, "ledger"},
		"no place":            {"build_script", &toy.Backend{}, whole, orders, func(c *call) { kit.Must(t, os.RemoveAll(c.state("kept"))) }, "tell the job where its endpoint is: "},
		"a script of runner":  {"get_sources", both, whole, orders, nil, ""},
		"nothing served":      {"build_script", both, issued(), nil, nil, ""},
	} {
		c := newCallWith(t, "alpha", test.stage, test.set, test.orders...)
		if test.change != nil {
			test.change(c)
		}
		got := c.with(test.place)
		if ran := strings.Contains(got.out, "the script prints"); ran != (test.want == "") || (got.code == 0) != ran || !strings.Contains(got.log, test.want) {
			t.Errorf("%s: %+v, want %q", name, got, test.want)
		}
	}
}
