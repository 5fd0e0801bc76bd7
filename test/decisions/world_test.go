package decisions_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/admin"
	"rolecall/internal/audit"
	"rolecall/internal/backend/host"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/program"
	"rolecall/internal/stage/config"
	"rolecall/internal/stage/prepare"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// world is a host with the files of its admin, and two servers that sign tokens: the
// issuer, and one that says it is.
type world struct {
	dir            string
	noted          []string // what the last stage has told the author of a job that is not refused
	gitlab, forger *coordinator.Server
}

// newWorld returns a world whose policy files can name keys.json, ca.pem and
// session.json.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir()}
	for _, server := range []**coordinator.Server{&w.gitlab, &w.forger} {
		started, err := coordinator.Start()
		kit.Must(t, err)
		t.Cleanup(started.Close)
		started.RotateToECKey() // it signs fast
		*server = started
	}
	response, err := http.Get(w.gitlab.URL() + "/oauth/discovery/keys")
	kit.Must(t, err)
	defer func() { _ = response.Body.Close() }()
	keys, err := io.ReadAll(response.Body)
	kit.Must(t, err)
	for name, content := range map[string]string{"keys.json": string(keys), "ca.pem": "PEM", "session.json": "{}"} {
		w.write(t, name, content)
	}
	return w
}

// write writes a file and returns its path.
func (w *world) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	kit.Must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// outcome is what a program decided.
type outcome struct {
	Allowed              bool
	Side, Refusal        string // of a refusal
	Tenant, Role, Region string // of a job that is allowed
	Image                string // that its scripts run in
	Notes                []string
}

// unknown is what cannot be seen from outside of a job that is allowed, and then has no
// user to run as.
const unknown = "?"

// errIssued says that a job came as far as to STS.
var errIssued = errors.New("the decisions test issues nothing")

// issuer is AWS whose STS is never asked. It keeps the order.
type issuer struct {
	grant.AWS

	order creds.Order
}

// Issue keeps the order and gives nothing.
func (i *issuer) Issue(_ context.Context, o creds.Order, _ idtoken.Token) (creds.Credential, error) {
	i.order = o
	return creds.Credential{}, errIssued
}

// ToolFiles returns nothing.
func (*issuer) ToolFiles() []creds.ToolFile { return nil }

// Ignores reports false.
func (*issuer) Ignores(string) bool { return false }

// Report returns nothing.
func (*issuer) Report(creds.Facts) creds.Report { return creds.Report{} }

// args returns the flags of a stage, or of explain, as on a command line. Pin is the flag that
// names the tenant of the runner.
func args(f program.Flags, pin string) []string {
	var all []string
	for name, value := range map[string]string{pin: f.Tenant, "--run-as": f.RunAs, "--config": f.Config} {
		if value != "" {
			all = append(all, name, value)
		}
	}
	if f.NoPolicy {
		all = append(all, "--no-policy")
	}
	return all
}

// serve runs a stage for a job, as the runner does. It returns standard output, and whose
// mistake the error is that the log ends with; nobody's where there is none.
func (w *world) serve(p program.Program, c candidate, more ...string) (out string, side, failure string) {
	environ := append(more, "JOB_RESPONSE_FILE="+filepath.Join(w.dir, "response.json"))
	for _, v := range c.variables {
		environ = append(environ, "CUSTOM_ENV_"+v.Key+"="+v.Value)
	}
	var stdout, stderr strings.Builder
	code := p.Serve(args(c.flags, "--tenant"), environ, nil, &stdout, &stderr)
	w.noted = nil
	for line := range strings.Lines(stderr.String()) {
		if note, ok := strings.CutPrefix(line, "rolecall: "); ok {
			w.noted = append(w.noted, strings.TrimSuffix(note, "\n"))
		}
	}
	if code != 0 {
		_, text, _ := strings.Cut(kit.Flat(stderr.String()), "rolecall: error [")
		code, rest, _ := strings.Cut(text, "]: ")
		side, failure = string(fault.Code(code).Side()), rest
	}
	return stdout.String(), side, strings.TrimSuffix(failure, "\n")
}

// respond writes the job response that GitLab sends.
func (w *world) respond(t *testing.T, c candidate) string {
	t.Helper()
	content, err := json.Marshal(map[string]any{
		"id": c.id, "token": "glcbt-x", "job_info": map[string]any{"project_id": 42, "pipeline_id": 9, "project_full_path": c.project},
		"git_info": map[string]any{"protected": c.protected}, "runner_info": map[string]any{"timeout": 3600}, "variables": c.variables,
		"image": c.image, "services": c.services,
	})
	kit.Must(t, err)
	return w.write(t, "response.json", string(content))
}

// config runs the stage config, and returns what it hands on and the builds_dir.
func (w *world) config(t *testing.T, c candidate) (handed []string, builds string) {
	t.Helper()
	if c.flags.NoPolicy { // it would choose a folder of this host
		told, err := (&program.Call{Flags: c.flags}).Tell(nil)
		kit.Must(t, err)
		return []string{"ROLECALL_STORE=" + filepath.Join(w.dir, "run"), "ROLECALL_FLAGS=" + told}, ""
	}
	stage := config.New(config.Parts{Backends: []config.Backend{host.New()}, Providers: []policyfile.Provider{grant.AWS{}}})
	out, _, failure := w.serve(stage, c)
	if failure != "" {
		t.Fatal(failure)
	}
	var answer struct {
		BuildsDir string            `json:"builds_dir"`
		JobEnv    map[string]string `json:"job_env"`
	}
	kit.Must(t, json.Unmarshal([]byte(out), &answer))
	for name, value := range answer.JobEnv {
		handed = append(handed, name+"="+value)
	}
	return handed, answer.BuildsDir
}

// prepare runs the stage prepare after config. Beside what it decided it returns what
// the audit log says.
func (w *world) prepare(t *testing.T, c candidate, handed []string, builds string) (outcome, audit.Event) {
	t.Helper()
	if builds == "" {
		builds = filepath.Join(w.dir, "plain")
	}
	kit.Must(t, os.MkdirAll(builds, 0o700))
	kit.Must(t, os.RemoveAll(filepath.Join(w.dir, "audit")))
	sts := &issuer{}
	stage := prepare.New(prepare.Parts{Backends: []prepare.Backend{&toy.Backend{}}, Providers: []prepare.Provider{sts}})
	_, side, failure := w.serve(stage, c, append(handed, "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+builds+"/deploy.tmp")...)
	kit.Must(t, os.RemoveAll(filepath.Join(w.dir, "run", fmt.Sprint(c.id)))) // the next config need not look at it
	var told audit.Event
	if content, err := os.ReadFile(filepath.Join(w.dir, "audit")); err == nil {
		decision, _, _ := strings.Cut(string(content), "\n") // no credential is issued here, which is the next line
		kit.Must(t, json.Unmarshal([]byte(decision), &told))
	}
	switch {
	case failure == "":
		return outcome{Allowed: true, Image: cmp.Or(told.Image, unknown), Notes: w.noted}, told
	case strings.Contains(failure, errIssued.Error()):
		_, name, _ := strings.Cut(failure, `tenant "`)
		name, _, _ = strings.Cut(name, `"`)
		return outcome{Allowed: true, Tenant: name, Role: sts.order.Facts.Get("role_arn"), Region: sts.order.Facts.Get("region"), Image: told.Image, Notes: w.noted}, told
	}
	return outcome{Side: side, Refusal: failure}, told
}

// explain runs rolecall explain.
func (w *world) explain(t *testing.T, c candidate, response string) (outcome, []rule) {
	t.Helper()
	args := append([]string{"explain", "--json", "--job", response}, args(c.flags, "--runner-tenant")...)
	var out, errs bytes.Buffer
	code := admin.Program{grant.AWS{}}.Serve(args, nil, strings.NewReader(""), &out, &errs)
	var answer struct {
		outcome
		Rules []rule
	}
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil || (code == 0) != answer.Allowed {
		t.Fatalf("rolecall %q: exit code %d: %v\n%s%s", args, code, err, &out, &errs)
	}
	return answer.outcome, answer.Rules
}

// rule is a rule of a tenant, as explain prints it.
type rule struct {
	Tenant, Rule string
	OK           bool
}
