package run_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/handover"
	"rolecall/internal/job"
	"rolecall/internal/stage/run"
	"rolecall/internal/state"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// author is a toy whose script does something with its files.
type author struct {
	*toy.Backend

	does func(out, secret string)
	env  *[]string // of the script
}

// Run lets the script do it.
func (a author) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	path := func(name string) string { return strings.TrimPrefix(job.Get(s.Env, name), "/toy") }
	if a.env != nil {
		*a.env = s.Env
	}
	if a.does != nil && path("ROLECALL_OUT") != "" {
		a.does(path("ROLECALL_OUT"), path("ROLECALL_SECRET_OUT"))
	}
	return a.Backend.Run(ctx, data, s)
}

// Users are the user of this process.
func (author) Users(json.RawMessage) ([]backend.Users, error) {
	return []backend.Users{{First: uint32(os.Geteuid()), Count: 1}}, nil
}

// scope is that of job 7.
func scope() handover.Scope {
	return handover.Scope{Issuer: "https://gitlab.example.com", Tenant: "alpha", Project: "42", Pipeline: "9", Class: "protected"}
}

// newAuthor returns a call of a job that may hand over values on this host, and did so before if
// earlier says so.
func newAuthor(t *testing.T, stage string, earlier ...string) *call {
	t.Helper()
	set := issued()
	taken := creds.Credential{Provider: handover.Provider, Beside: true}
	for _, name := range earlier {
		taken.Facts = append(taken.Facts, creds.Fact{Name: name, Value: "make"})
	}
	c := newCallWith(t, "alpha", stage, append(set, taken))
	c.change(t, func(r *state.Record) {
		r.Handover = &state.Handover{Scope: scope(), Job: "make: [alpha]", Settings: handover.Settings{Store: "local", MaxAge: time.Hour}, Taken: []string{"CLOUD_*"}}
		r.Own = state.OwnHere
		trail, err := audit.NewTrail(c.file("audit"), audit.Event{JobID: "7", Tenant: "alpha"})
		kit.Must(t, err)
		r.Audit = trail
	})
	kit.Must(t, os.MkdirAll(c.state("own"), 0o700))
	return c
}

// change changes the record of the job.
func (c *call) change(t *testing.T, change func(*state.Record)) {
	t.Helper()
	content, err := os.ReadFile(c.state("job.json"))
	kit.Must(t, err)
	var r state.Record
	kit.Must(t, json.Unmarshal(content, &r))
	change(&r)
	content, err = json.Marshal(r)
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(c.state("job.json"), content, 0o600))
}

// author runs the stage with a script that does something.
func (c *call) author(a author) result {
	if a.Backend == nil {
		a.Backend = &toy.Backend{}
	}
	var out, log strings.Builder
	stage := run.New(run.Parts{Backends: []run.Backend{a}, Providers: []run.Provider{aws.Scripts{}}, Stores: []run.Store{state.Local{}}})
	code := stage.Serve(slices.Clone(c.args), c.environ, nil, &out, &log)
	return result{code, out.String(), headline.ReplaceAllString(kit.Flat(log.String()), "")}
}

// kept returns what is handed over, as NAME=value, with a * for a secret.
func (c *call) kept(t *testing.T) []string {
	t.Helper()
	l, err := state.Local{}.List(t.Context(), handover.Way{Root: c.root}, scope())
	kit.Must(t, err)
	var all []string
	for _, p := range l.Parcels {
		for _, v := range p.Values {
			all = append(all, v.Name+"="+v.Value.Reveal()+map[bool]string{true: "*"}[v.Secret])
		}
	}
	return all
}

// writes returns a script that writes texts to its two files.
func writes(t *testing.T, plain, secret string) func(string, string) {
	t.Helper()
	return func(out, secretOut string) {
		if plain != "" {
			kit.Must(t, os.WriteFile(out, []byte(plain), 0o600))
		}
		if secret != "" {
			kit.Must(t, os.WriteFile(secretOut, []byte(secret), 0o600))
		}
	}
}

// TestHandOver: what a script writes is there for later jobs, and no file of it is left. A value with
// a secret of the job is a secret. Later stages mask the secrets.
func TestHandOver(t *testing.T) {
	t.Parallel()
	c := newAuthor(t, "step_script")
	got := c.author(author{does: writes(t, "VERSION=1.2\nCOPY=<postgres://u:p@h/d>\nLEAK=x0123456789abcdef\nENCODED="+"MDEyMzQ1Njc4OWFiY2RlZg==\n", "DB_URL=postgres://u:p@h/d\n")})
	if got.code != 0 || strings.Contains(got.log, "postgres") || strings.Contains(got.log, "MDEy") {
		t.Fatalf("%+v", got)
	}
	want := []string{"COPY=<postgres://u:p@h/d>*", "DB_URL=postgres://u:p@h/d*", "ENCODED=MDEyMzQ1Njc4OWFiY2RlZg==*", "LEAK=x0123456789abcdef*", "VERSION=1.2"}
	if kept := c.kept(t); !slices.Equal(kept, want) {
		t.Errorf("kept %q", kept)
	}
	for _, text := range []string{
		"warning: LEAK holds a secret of the job, and is handed over as a secret; write it to the file that ROLECALL_SECRET_OUT names\n",
		"rolecall: handed over to later jobs of this pipeline, of tenant alpha and protected refs, until ",
		" UTC: COPY (secret), DB_URL (secret), ENCODED (secret), LEAK (secret), VERSION. Jobs on other hosts do not get it\n",
	} {
		if !strings.Contains(got.log, text) {
			t.Errorf("the log has no %q:\n%s", text, got.log)
		}
	}
	if left, _ := os.ReadDir(c.state("own")); len(left) > 0 {
		t.Errorf("left %v", left)
	}
	c.args[1] = "after_script"
	c.write(t, "script", "again postgres://u:p@h/d and x0123456789abcdef\n")
	if after := c.author(author{}); after.code != 0 || !strings.Contains(after.out, "again [MASKED] and [MASKED]") {
		t.Errorf("after_script: %+v", after)
	}
	c.checkTold(t)
}

// checkTold checks the line of the audit log about what TestHandOver hands over.
func (c *call) checkTold(t *testing.T) {
	t.Helper()
	content, err := os.ReadFile(c.file("audit"))
	kit.Must(t, err)
	line, _, _ := strings.Cut(string(content), "\n")
	var e audit.Event
	kit.Must(t, json.Unmarshal([]byte(line), &e))
	if e.Event != audit.HandedOver || !slices.Equal(e.Names, []string{"COPY", "DB_URL", "ENCODED", "LEAK", "VERSION"}) || e.Store != "local" || e.Stage != "step_script" || time.Until(e.Until) < 50*time.Minute || strings.Contains(string(content), "postgres") {
		t.Errorf("the audit log has %s", content)
	}
}

// TestHandOverOnly: only a script of the user's own that has ended with 0 hands over, and only where
// the job may.
func TestHandOverOnly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		stage  string
		code   int
		change func(*state.Record)
		has    bool
	}{
		"build_script": {"build_script", 0, nil, true},
		"a failure":    {"build_script", 3, nil, true},
		"after_script": {"after_script", 0, nil, false},
		"the runner's": {"get_sources", 0, nil, false},
		"a release":    {"step_release", 0, nil, false},
		"no handover":  {"build_script", 0, func(r *state.Record) { r.Handover = nil }, false},
		"no folder":    {"build_script", 0, func(r *state.Record) { r.Own = "" }, false},
	} {
		c := newAuthor(t, test.stage)
		if test.change != nil {
			c.change(t, test.change)
		}
		var env []string
		c.author(author{Backend: &toy.Backend{Code: test.code}, env: &env, does: writes(t, "A=1\n", "")})
		if has := job.Get(env, "ROLECALL_OUT") == "/toy"+c.state("own/rolecall.out") && job.Get(env, "ROLECALL_SECRET_OUT") != ""; has != test.has {
			t.Errorf("%s: it has the files: %v", name, has)
		}
		if kept := c.kept(t); len(kept) > 0 != (name == "build_script") {
			t.Errorf("%s: kept %q", name, kept)
		}
	}
}
