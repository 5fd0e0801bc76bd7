package cleanup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/job"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/state"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// place is a job with a folder of state. Cleanup looks in the folders of the host
// too, so that no other job may have the id.
type place struct {
	dir, root, response string
	key                 job.Key
}

func newPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	p := place{dir: dir, root: filepath.Join(dir, "store"), response: filepath.Join(dir, "response.json")}
	p.write(t, "response.json", response(time.Now().UnixNano(), "job-token"))
	p.write(t, "rolecall.toml", `credentials_dir = "`+p.root+`"
shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy"
audience = "https://aws.example"
projects = ["acme/deploy"]
`)
	kit.Must(t, os.Mkdir(p.root, 0o700))
	return p
}

// response returns what the runner says of a job.
func response(id int64, token string) string {
	return fmt.Sprintf(`{"id": %d, "token": %q}`, id, token)
}

func (p place) write(t *testing.T, name, content string) {
	t.Helper()
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600))
}

// createIn makes the folder of the job, as prepare does for one that runs in a place
// of that name, with a link in a build directory.
func (p *place) createIn(t *testing.T, backend string, data json.RawMessage) {
	t.Helper()
	key, err := job.ReadKey(p.response)
	kit.Must(t, err)
	p.key = key
	trail, err := audit.NewTrail(filepath.Join(p.dir, "audit.jsonl"), audit.Event{JobID: "7", Tenant: "alpha"})
	kit.Must(t, err)
	record := state.Record{Tenant: "alpha", Backend: backend, Data: data, Audit: trail}
	f, err := state.Create(p.root, key, record, filepath.Join(p.dir, "builds/deploy.tmp"))
	kit.Must(t, err)
	f.Close()
}

// create is createIn for a job on this host.
func (p *place) create(t *testing.T, cgroup string) {
	t.Helper()
	p.createIn(t, host.Name, inCgroup(t, cgroup))
}

// check checks whether the folder of the job and the link to it are there.
func (p place) check(t *testing.T, name string, there bool) {
	t.Helper()
	for _, path := range []string{filepath.Join(p.root, p.key.ID.String()), filepath.Join(p.dir, "builds/deploy.tmp/rolecall-"+p.key.ID.String())} {
		if _, err := os.Lstat(path); there != (err == nil) || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s: %v, want it there: %t", name, path, err, there)
		}
	}
}

// serve runs the stage, where the config stage has chosen the folder root; it may
// have chosen none.
func (p place) serve(root string, args ...string) (code int, stderr string) {
	return p.serveWith(parts(), root, args...)
}

// serveWith is serve with those parts.
func (p place) serveWith(parts cleanup.Parts, root string, args ...string) (code int, stderr string) {
	var out, e strings.Builder
	code = cleanup.New(parts).Serve(args, []string{"JOB_RESPONSE_FILE=" + p.response, "ROLECALL_STORE=" + root}, nil, &out, &e)
	return code, kit.Flat(out.String() + e.String())
}

// TestCleanup: the job's folder goes wherever it is, whatever is wrong with flags,
// environment and policy file.
func TestCleanup(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(p place)
		chosen bool // the config stage has handed on the folder
		args   string
		warns  string // a part of standard error; empty: there is none
	}{
		"told by config":        {chosen: true},
		"told and wrong flags":  {chosen: true, args: "--nose", warns: "rolecall: warning: flag provided but not defined: -nose"},
		"by the policy file":    {args: "--config DIR/rolecall.toml"},
		"and wrong flags":       {args: "--config DIR/rolecall.toml --nose", warns: "rolecall: warning: flag provided but not defined: -nose"},
		"told, a broken policy": {chosen: true, args: "--config DIR/rolecall.toml", change: func(p place) { p.write(t, "rolecall.toml", "x") }},
	} {
		p := newPlace(t)
		p.create(t, "")
		p.check(t, name, true)
		if test.change != nil {
			test.change(p)
		}
		root := ""
		if test.chosen {
			root = p.root
		}
		for range 2 { // the second time there is nothing to do
			code, stderr := p.serve(root, strings.Fields(strings.ReplaceAll(test.args, "DIR", p.dir))...)
			if code != 0 || !strings.HasPrefix(stderr, test.warns) || test.warns == "" && stderr != "" {
				t.Errorf("%s: exit code %d, want 0 with %q in\n%s", name, code, test.warns, stderr)
			}
			p.check(t, name, false)
			p.ended(t, name, "")
		}
	}
}

// ended checks that the audit log has one line, that the job has ended, with that code.
func (p place) ended(t *testing.T, name, code string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(p.dir, "audit.jsonl"))
	kit.Must(t, err)
	var e audit.Event
	if n := auditlog.Check(t, content); n != 1 {
		t.Errorf("%s: the audit log has %s", name, content)
		return
	}
	kit.Must(t, json.Unmarshal(content, &e))
	if e.Event != audit.Ended || e.Program != "cleanup" || e.Tenant != "alpha" || e.Began.IsZero() || string(e.Code) != code || e.Reason != "" {
		t.Errorf("%s: the audit log has %s, want code %q", name, content, code)
	}
}

// TestNoAuditLog: that the audit log cannot be written keeps nothing from its removal.
func TestNoAuditLog(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.create(t, "")
	p.write(t, "audit.jsonl", "")
	kit.Must(t, os.Chmod(filepath.Join(p.dir, "audit.jsonl"), 0o622))
	code, stderr := p.serve(p.root)
	if code != 0 || !strings.HasPrefix(stderr, "rolecall: warning: audit log "+p.dir+"/audit.jsonl: ") {
		t.Errorf("exit code %d, want 0 with a warning:\n%s", code, stderr)
	}
	p.check(t, "no audit log", false)
}

// TestNothingKnown: where nobody can say which job or folder is meant nothing is
// removed, and the stage ends well: it is called after stages that failed too.
func TestNothingKnown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(p place)
		args   string
		warns  string
	}{
		"no response":   {func(p place) { _ = os.Remove(p.response) }, "--no-policy", "no credentials are removed, since the job is unknown: "},
		"broken policy": {func(p place) { p.write(t, "rolecall.toml", "x") }, "--config DIR/rolecall.toml", "policy file: "},
		"another job":   {func(p place) { p.write(t, "response.json", response(int64(p.key.ID)+1, "job-token")) }, "--config DIR/rolecall.toml", ""},
	} {
		p := newPlace(t)
		p.create(t, "")
		test.change(p)
		code, stderr := p.serve("", strings.Fields(strings.ReplaceAll(test.args, "DIR", p.dir))...)
		if code != 0 || test.warns == "" && stderr != "" || test.warns != "" && !strings.HasPrefix(stderr, "rolecall: warning: "+test.warns) {
			t.Errorf("%s: exit code %d, want 0 with the warning %q:\n%s", name, code, test.warns, stderr)
		}
		p.check(t, name, true)
	}
}

// TestLeft: what is left is an error of the admin's.
func TestLeft(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.create(t, "/proc")
	code, stderr := p.serve(p.root)
	if code != 1 || !strings.HasPrefix(stderr, "rolecall: error [RC312]: ") || !strings.Contains(stderr, "/proc: not a cgroup") || !strings.HasSuffix(stderr, "; remove what is left on the runner's host\n") {
		t.Errorf("a cgroup that is none: exit code %d, want 1:\n%s", code, stderr)
	}
	p.ended(t, "a cgroup that is none", "RC312")
	p = newPlace(t)
	p.create(t, "")
	p.write(t, "response.json", response(int64(p.key.ID), "other-token"))
	code, stderr = p.serve(p.root)
	if code != 1 || !strings.Contains(stderr, "belongs to a job of another GitLab server") {
		t.Errorf("a job of another server: exit code %d, want 1:\n%s", code, stderr)
	}
	p.check(t, "a job of another server", true)
}

// parts returns what the stage's main chooses.
func parts() cleanup.Parts {
	return cleanup.Parts{Backends: []backend.Reaper{host.New()}, Providers: []policyfile.Provider{grant.AWS{}}}
}

// inCgroup returns the data of a job on this host whose cgroup is below that path.
func inCgroup(t *testing.T, path string) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(map[string]string{"cgroup": path})
	kit.Must(t, err)
	return data
}
