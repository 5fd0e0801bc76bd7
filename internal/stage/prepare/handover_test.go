package prepare_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/handover"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// scopeOf returns the scope of job 7.
func scopeOf(h *host) handover.Scope {
	return handover.Scope{Issuer: h.gitlab.Issuer(), Tenant: "alpha", Project: "42", Pipeline: "9", Class: "protected"}
}

// newReader returns a call for job 7, whose policy file has a store on this host.
func newReader(t *testing.T, gitlab *coordinator.Server) *call {
	t.Helper()
	h := newHost(t, gitlab)
	h.edit(t, "rolecall.toml", "[[tenant]]", "[handover]\nstore = \"local\"\nmax_age = \"90m\"\n[[tenant]]")
	h.edit(t, "response.json", `"project_id": 42`, `"name": "use: [alpha]", "project_id": 42`)
	return newCall(t, h)
}

// hand lets a job of a scope hand over values, NAME=value, or NAME=value* for a secret.
func (h *host) hand(t *testing.T, s handover.Scope, job string, until time.Time, values ...string) {
	t.Helper()
	p := handover.Parcel{Scope: s, Job: job, JobID: 3, At: time.Now().Add(-time.Minute), Until: until}
	for _, text := range values {
		name, value, _ := strings.Cut(text, "=")
		plain, secret := strings.CutSuffix(value, "*")
		p.Values = append(p.Values, handover.Value{Name: name, Value: mask.NewSecret(plain), Secret: secret})
	}
	kit.Must(t, state.Local{}.Put(t.Context(), handover.Way{Root: h.root}, p))
}

// soon is when most values expire.
func soon() time.Time { return time.Now().Add(time.Hour) }

// given returns the environment and the secrets of job 7.
func (h *host) given(t *testing.T) (env []string, secrets string) {
	t.Helper()
	f, err := state.Open(h.root, keyOf(t, h))
	kit.Must(t, err)
	defer f.Close()
	all, err := f.ReadAll()
	kit.Must(t, err)
	var names []string
	for _, s := range all.Secrets {
		names = append(names, s.Kind)
	}
	return all.Set.Environ(), strings.Join(names, ", ")
}

// TestTaken: a job has in its environment, and in a file of its own, what jobs of its scope have
// handed over; the record lets it hand over more. Secrets are secrets of the job, and neither in the
// ledger nor in the env file of its credentials.
func TestTaken(t *testing.T) {
	t.Parallel()
	c := newReader(t, newGitLab(t))
	s := scopeOf(c.host)
	c.hand(t, s, "make: [alpha]", soon(), "DB_URL=postgres://u:p@h/d*", "NOTE=a b")
	c.hand(t, s, "version", soon(), "VERSION=1.2")
	if got := c.serve(); got.code != 0 || got.log != "" || strings.Contains(got.out, "postgres") {
		t.Fatalf("%+v", got)
	}
	env, secrets := c.given(t)
	in := c.file("root/7/secret/.rolecall.in.env")
	if want := []string{"CLOUD_SECRET=0123456789abcdef", "DB_URL=postgres://u:p@h/d", "NOTE=a b", "VERSION=1.2", "ROLECALL_IN=" + in}; !slices.Equal(env, want) || secrets != "secret, handed-over DB_URL" {
		t.Errorf("%q, secrets %s", env, secrets)
	}
	if got := c.read("root/7/secret/.rolecall.in.env"); got != "DB_URL=postgres://u:p@h/d\nVERSION=1.2\n" {
		t.Errorf("ROLECALL_IN has %q", got)
	}
	if got := c.read("root/7/secret/.aws.alpha.env"); got != "CLOUD_SECRET=0123456789abcdef\n" {
		t.Errorf("the env file has %q", got)
	}
	if strings.Contains(c.read("root/ledger"), "handed-over") {
		t.Errorf("the ledger has it:\n%s", c.read("root/ledger"))
	}
	want := &state.Handover{Scope: s, Job: "use: [alpha]", Settings: handover.Settings{Store: "local", MaxAge: 90 * time.Minute}, Taken: []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}}
	if diff := cmp.Diff(want, c.record(t).Handover); diff != "" {
		t.Errorf("the record differs:\n%s", diff)
	}
	line := lastLine(t, c.host)
	if !slices.Equal(line.Names, []string{"DB_URL", "NOTE", "VERSION"}) || !slices.Equal(line.From, []string{"make: [alpha]", "version"}) || line.Event != audit.Taken || line.Store != "local" || line.JobID != "7" {
		t.Errorf("the audit log has %+v", line)
	}
	if strings.Contains(c.read("audit"), "postgres") {
		t.Error("the audit log has a value")
	}
}

// lastLine returns the last line of the audit log.
func lastLine(t *testing.T, h *host) (e audit.Event) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(h.read("audit")), "\n")
	kit.Must(t, json.Unmarshal([]byte(lines[len(lines)-1]), &e))
	return e
}

// TestNothingTaken: a job takes nothing of another scope, of itself, and of nobody; and then there is
// no line in the audit log.
func TestNothingTaken(t *testing.T) {
	t.Parallel()
	c := newReader(t, newGitLab(t))
	for i, change := range []func(*handover.Scope){
		func(s *handover.Scope) { s.Issuer = "https://other.example.com" },
		func(s *handover.Scope) { s.Tenant = "beta" },
		func(s *handover.Scope) { s.Project = "43" },
		func(s *handover.Scope) { s.Pipeline = "10" },
		func(s *handover.Scope) { s.Class = "unprotected" },
	} {
		s := scopeOf(c.host)
		change(&s)
		c.hand(t, s, "make", soon(), fmt.Sprintf("OTHER_%d=x", i))
	}
	c.hand(t, scopeOf(c.host), "use: [alpha]", soon(), "OWN=x")
	if got := c.serve(); got.code != 0 || got.log != "" {
		t.Fatalf("%+v", got)
	}
	env, _ := c.given(t)
	if want := []string{"CLOUD_SECRET=0123456789abcdef", "ROLECALL_IN=" + c.file("root/7/secret/.rolecall.in.env")}; !slices.Equal(env, want) {
		t.Errorf("%q", env)
	}
	if line := lastLine(t, c.host); line.Event != audit.Issued {
		t.Errorf("the audit log has %+v", line)
	}
}

// TestWithheld: a name is withheld with the reason in the log, and the job goes on.
func TestWithheld(t *testing.T) {
	t.Parallel()
	c := newReader(t, newGitLab(t))
	s := scopeOf(c.host)
	c.hand(t, s, "one", soon(), "CLASH=firstvalue", "CLOUD_SECRET=zz", "MINE=zz", "KEPT=1")
	c.hand(t, s, "two", soon(), "CLASH=secondvalue", "KEPT=1")
	c.hand(t, s, "old", time.Now().Add(-time.Second), "OLD=oldvalue")
	c.hand(t, s, "broken", soon(), "BROKEN=x")
	c.breakParcel(t, "BROKEN")
	c.set("CUSTOM_ENV_MINE=of GitLab")
	got := c.serve()
	env, _ := c.given(t)
	if got.code != 0 || slices.Contains(env, "MINE=zz") || slices.Contains(env, "CLOUD_SECRET=zz") || !slices.Contains(env, "KEPT=1") || strings.Contains(strings.Join(env, " "), "CLASH") {
		t.Errorf("%+v, %q", got, env)
	}
	for _, want := range []string{
		`warning: not taken: CLASH: jobs "one" and "two" have handed it over with different values`,
		`warning: not taken: CLOUD_SECRET: the credentials of this job have a variable of that name`,
		`warning: not taken: MINE: this job has a variable of that name in GitLab, which would win`,
		`warning: not taken: OLD: what job "old" has handed over expired at `,
		`warning: what a job has handed over cannot be used: `,
	} {
		if !strings.Contains(got.log, want) {
			t.Errorf("no %q in\n%s", want, got.log)
		}
	}
	for _, value := range []string{"firstvalue", "secondvalue", "oldvalue"} {
		if strings.Contains(got.log+got.out, value) {
			t.Errorf("the log has %s", value)
		}
	}
}

// breakParcel cuts the file that has a name.
func (h *host) breakParcel(t *testing.T, name string) {
	t.Helper()
	for _, path := range parcels(t, h) {
		content, err := os.ReadFile(path)
		kit.Must(t, err)
		if strings.Contains(string(content), name) {
			kit.Must(t, os.WriteFile(path, content[:len(content)/2], 0o600))
		}
	}
}

// TestScope: which jobs share values is said by the verified ID token, and by no other thing.
func TestScope(t *testing.T) {
	t.Parallel()
	c := newReader(t, newGitLab(t))
	now := time.Now().Unix()
	c.set("CUSTOM_ENV_CI_PIPELINE_ID=9", "CUSTOM_ENV_ALPHA_TOKEN="+c.gitlab.SignToken(map[string]any{
		"iss": c.gitlab.Issuer(), "aud": "aud", "sub": "s", "jti": "j", "iat": now, "exp": now + 3600,
		"job_id": "7", "pipeline_id": "11", "project_id": "43", "job_project_id": "42", "project_path": "acme/deploy", "job_project_path": "acme/deploy",
		"ref": "x", "ref_type": "branch", "ref_protected": "false",
	}), "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+c.file("builds/alpha/unprotected/deploy.tmp"))
	if got := c.serve(); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	want := handover.Scope{Issuer: c.gitlab.Issuer(), Tenant: "alpha", Project: "43", Pipeline: "11", Class: "unprotected"}
	if diff := cmp.Diff(want, c.record(t).Handover.Scope); diff != "" {
		t.Errorf("the scope differs:\n%s", diff)
	}
}
