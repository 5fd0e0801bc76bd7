package config_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/job"
	"rolecall/internal/stage/config"
	"rolecall/internal/state"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// place is a folder with a policy file and the response of a job, in which the stage
// keeps its state too: without a policy file that is in a folder of the host.
type place struct {
	dir     string
	environ []string
}

func newPlace(t *testing.T) place {
	t.Helper()
	p := place{dir: t.TempDir()}
	p.write(t, "rolecall.toml", `builds_dir = "`+p.dir+`/builds"
cache_dir = "`+p.dir+`/cache"
credentials_dir = "`+p.dir+`/store"
shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy"
audience = "https://aws.example"
projects = ["acme/deploy"]
`)
	p.write(t, "response.json", `{"id": 7, "token": "job-token", "git_info": {"protected": true},
		"job_info": {"project_id": 42, "pipeline_id": 9, "project_full_path": "acme/deploy"}}`)
	p.environ = []string{"JOB_RESPONSE_FILE=" + filepath.Join(p.dir, "response.json"), "CUSTOM_ENV_TENANT=alpha"}
	return p
}

func (p place) write(t *testing.T, name, content string) {
	t.Helper()
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600))
}

// token returns the variable with the ID token of a job: the stage checks no signature.
func token(t *testing.T, id int, project string, protected bool) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{
		"iss": "https://gitlab.example.com", "aud": "https://aws.example", "sub": "project_path:" + project + ":ref_type:branch:ref:main",
		"exp": time.Now().Unix() + 3600, "job_id": strconv.Itoa(id), "project_id": "42", "job_project_id": "42",
		"project_path": project, "job_project_path": project, "ref": "main", "ref_type": "branch", "ref_protected": strconv.FormatBool(protected),
	})
	kit.Must(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return "CUSTOM_ENV_GITLAB_OIDC_TOKEN=" + encode([]byte(`{"alg":"RS256","typ":"JWT","kid":"k"}`)) + "." + encode(claims) + "." + encode([]byte("signature"))
}

// serve runs the stage with the place's policy file.
func (p place) serve(environ []string, args ...string) (code int, out, stderr string) {
	return p.serveWith(parts(), environ, args...)
}

// serveWith is serve with those parts.
func (p place) serveWith(parts config.Parts, environ []string, args ...string) (code int, out, stderr string) {
	var o, e strings.Builder
	args = append([]string{"--config", filepath.Join(p.dir, "rolecall.toml")}, args...)
	code = config.New(parts).Serve(args, append(p.environ, environ...), nil, &o, &e)
	return code, o.String(), kit.Flat(e.String())
}

// TestOutput: all that the runner is told.
func TestOutput(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	code, out, stderr := p.serve([]string{token(t, 7, "acme/deploy", true)})
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || stderr != "" {
		t.Fatalf("exit code %d, %v, %s", code, err, stderr)
	}
	var told map[string]string
	environ, _ := got["job_env"].(map[string]any)
	text, _ := environ[job.ToldVariable].(string)
	if err := json.Unmarshal([]byte(text), &told); err != nil || told["config"] != p.dir+"/rolecall.toml" || told["policy_hash"] == "" || len(told) != 2 {
		t.Errorf("the later stages are told %q, %v", text, err)
	}
	delete(environ, job.ToldVariable)
	want := map[string]any{
		"driver":               map[string]any{"name": "rolecall", "version": version.Version},
		"builds_dir":           p.dir + "/builds/alpha/protected",
		"cache_dir":            p.dir + "/cache/alpha/protected",
		"builds_dir_is_shared": true,
		"shell":                "bash",
		"job_env":              map[string]any{job.StoreVariable: p.dir + "/store"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the runner is told (- wanted, + got):\n%s", diff)
	}
	if info, err := os.Stat(filepath.Join(p.dir, "store")); err != nil || info.Mode() != os.ModeDir|0o700 {
		t.Errorf("the folder of the state: %v, %v", info, err)
	}
}

// TestFolders: a job gets the folder of the tenant and trust class that it claims to
// be of, and one that will be refused that of none.
func TestFolders(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for name, test := range map[string]struct {
		environ []string
		args    []string
		want    string
	}{
		"protected":         {[]string{token(t, 7, "acme/deploy", true)}, nil, "alpha/protected"},
		"unprotected":       {[]string{token(t, 7, "acme/deploy", false)}, nil, "alpha/unprotected"},
		"tenant of runner":  {[]string{token(t, 7, "acme/deploy", true), "CUSTOM_ENV_TENANT=alpha"}, []string{"--tenant", "alpha"}, "alpha/protected"},
		"no tenant":         {[]string{"CUSTOM_ENV_TENANT="}, nil, "none/protected"},
		"an empty tenant":   {[]string{token(t, 7, "acme/deploy", true), "CUSTOM_ENV_TENANT="}, []string{"--tenant", "alpha"}, "none/protected"},
		"another project":   {[]string{token(t, 7, "mallory/deploy", true)}, nil, "none/unprotected"},
		"another job":       {[]string{token(t, 8, "acme/deploy", true)}, nil, "none/unprotected"},
		"no token":          {nil, nil, "none/unprotected"},
		"no tenant of that": {[]string{token(t, 7, "acme/deploy", true), "CUSTOM_ENV_TENANT=beta"}, nil, "none/unprotected"},
		"not a token":       {[]string{"CUSTOM_ENV_GITLAB_OIDC_TOKEN=x"}, nil, "none/unprotected"},
	} {
		code, out, stderr := p.serve(test.environ, test.args...)
		if want := `"builds_dir":"` + p.dir + "/builds/" + test.want + `"`; code != 0 || stderr != "" || !strings.Contains(out, want) {
			t.Errorf("%s: exit code %d, want %s in\n%s%s", name, code, want, out, stderr)
		}
	}
}

// TestRefuses: the runner is told nothing where the stage fails.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(place)
		args   []string
		code   int
		says   string
	}{
		"no policy file":  {func(p place) { _ = os.Remove(p.dir + "/rolecall.toml") }, nil, 1, "[RC303]: policy file: "},
		"broken policy":   {func(p place) { p.write(t, "rolecall.toml", "x") }, nil, 1, "[RC303]: policy file: "},
		"a tenant's name": {func(place) {}, []string{"--tenant", "A b"}, 1, "[RC301]: --tenant: "},
		"no response":     {func(p place) { _ = os.Remove(p.dir + "/response.json") }, nil, 2, "[RC500]: "},
		"no job id":       {func(p place) { p.write(t, "response.json", "{}") }, nil, 2, "id must be a positive number"},
		"no folder":       {func(p place) { p.write(t, "store", "") }, nil, 2, "[RC500]: " + "DIR/store"},
	} {
		p := newPlace(t)
		test.change(p)
		code, out, stderr := p.serve(nil, test.args...)
		if says := strings.ReplaceAll(test.says, "DIR", p.dir); code != test.code || out != "" || !strings.Contains(stderr, says) {
			t.Errorf("%s: exit code %d, want %d with %q in\n%s%s", name, code, test.code, says, out, stderr)
		}
	}
}

// dead makes a job whose runner has died. It ran in a place of that name.
func dead(t *testing.T, root string, id job.ID, backend string, data json.RawMessage) {
	t.Helper()
	runner := exec.Command("sleep", "1000")
	kit.Must(t, runner.Start())
	lease, err := state.NewLease(runner.Process.Pid, time.Hour)
	err = errors.Join(err, runner.Process.Kill())
	_ = runner.Wait()
	kit.Must(t, err)
	syscall.ForkLock.RLock() // a child that another test starts meanwhile would keep the folder locked
	defer syscall.ForkLock.RUnlock()
	trail, err := audit.NewTrail(filepath.Join(filepath.Dir(root), "audit.jsonl"), audit.Event{JobID: id.String(), Tenant: "alpha"})
	kit.Must(t, err)
	f, err := state.Create(root, job.Key{ID: id}, state.Record{Tenant: "alpha", Lease: lease, Backend: backend, Data: data, Audit: trail}, "")
	kit.Must(t, err)
	f.Close()
}

// TestSweep: what dead jobs left goes, and what cannot go is no reason to fail.
func TestSweep(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	root := filepath.Join(p.dir, "store")
	kit.Must(t, os.Mkdir(root, 0o700))
	dead(t, root, 5, host.Name, inCgroup(t, ""))
	if code, _, stderr := p.serve(nil); code != 0 || stderr != "" {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	log := filepath.Join(p.dir, "audit.jsonl")
	content, err := os.ReadFile(log)
	kit.Must(t, err)
	if n := auditlog.Check(t, content); n != 1 || !strings.Contains(string(content), `"event":"removed"`) || !strings.Contains(string(content), `"program":"config"`) || !strings.Contains(string(content), `"job_id":"5"`) {
		t.Errorf("the audit log has %s", content)
	}
	kit.Must(t, os.Chmod(log, 0o622))
	dead(t, root, 5, host.Name, inCgroup(t, ""))
	if code, _, stderr := p.serve(nil); code != 0 || !strings.HasPrefix(stderr, "rolecall: warning: audit log "+log+": ") {
		t.Errorf("an audit log that others can write to: exit code %d:\n%s", code, stderr)
	}
	dead(t, root, 6, host.Name, inCgroup(t, "/proc"))
	code, out, stderr := p.serve(nil)
	const says = "rolecall: warning: the state of dead jobs on this host cannot be removed: "
	if code != 0 || !strings.HasPrefix(stderr, says) || !strings.Contains(stderr, "/proc: not a cgroup") || !strings.HasPrefix(out, "{") {
		t.Errorf("exit code %d, want 0 with a warning:\n%s%s", code, out, stderr)
	}
}

// parts returns what the stage's main chooses.
func parts() config.Parts {
	on := host.New()
	return config.Parts{
		Backends: []config.Backend{on}, Tidiers: []backend.Tidier{podman.New(on)}, Providers: []policyfile.Provider{grant.AWS{}},
	}
}

// inCgroup returns the data of a job on this host whose cgroup is below that path.
func inCgroup(t *testing.T, path string) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(map[string]string{"cgroup": path})
	kit.Must(t, err)
	return data
}
