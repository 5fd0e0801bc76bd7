package seams_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/program"
	"rolecall/internal/stage/cleanup"
	"rolecall/internal/stage/config"
	"rolecall/internal/stage/prepare"
	"rolecall/internal/stage/run"
	"rolecall/internal/sweep"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// policyText is the policy file of the world, with the paths and servers of dir, issuer
// and sts.
const policyText = `builds_dir = "DIR/builds"
cache_dir = "DIR/cache"
credentials_dir = "DIR/root"
audit_log = "DIR/audit"
shared_user = "unsafe"
run_as_root = "unsafe"
[gitlab]
issuer = "ISSUER"
[sts]
endpoint = "STS"
[toy]
ending = "thelastword"
[defaults]
audience = "aud"
projects = ["acme/deploy"]
[[tenant]]
name = "toys"
toy_word = "thefirstword"
[[tenant]]
name = "both"
role_arn = "arn:aws:iam::111122223333:role/deploy"
region = "eu-west-1"
toy_word = "thesecondword"
`

// world is a host whose programs know the toys beside the host and AWS.
type world struct {
	dir     string
	gitlab  *coordinator.Server
	sts     *fakests.Server
	box     *toy.Backend
	service []string // the environment of the runner's service
}

// newWorld returns a world with the policy file and both servers.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), box: &toy.Backend{}, service: []string{"PATH=/bin", "TOY_SERVER=x", "AWS_PROFILE=x"}}
	var err error
	w.gitlab, err = coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(w.gitlab.Close)
	w.gitlab.RotateToECKey() // it signs fast
	w.sts, err = fakests.Start()
	kit.Must(t, err)
	t.Cleanup(w.sts.Close)
	w.write(t, "rolecall.toml", strings.NewReplacer("DIR", w.dir, "ISSUER", w.gitlab.Issuer(), "STS", w.sts.URL()).Replace(policyText))
	return w
}

// write writes a file of the world.
func (w *world) write(t *testing.T, name, content string) {
	t.Helper()
	kit.Must(t, os.WriteFile(filepath.Join(w.dir, name), []byte(content), 0o600))
}

// read returns a file of the world, or an empty text.
func (w *world) read(name string) string {
	content, _ := os.ReadFile(filepath.Join(w.dir, name))
	return string(content)
}

// events returns the lines of the audit log.
func (w *world) events(t *testing.T) []audit.Event {
	t.Helper()
	var events []audit.Event
	for line := range strings.Lines(w.read("audit")) {
		var e audit.Event
		kit.Must(t, json.Unmarshal([]byte(line), &e))
		events = append(events, e)
	}
	return events
}

// The programs, as their main.go would make them.

func (w *world) config() program.Program {
	return config.New(config.Parts{Backends: []config.Backend{w.box, host.New()}, Providers: schemas()})
}

func (w *world) prepare() program.Program {
	return prepare.New(prepare.Parts{Backends: []prepare.Backend{w.box, host.New()}, Providers: []prepare.Provider{sts.NewProvider(), toyProvider{}}})
}

func (w *world) run() program.Program {
	return run.New(run.Parts{Backends: []run.Backend{host.New(), w.box}, Providers: []run.Provider{aws.Scripts{}, toyProvider{}}})
}

func (w *world) cleanup() program.Program {
	return cleanup.New(cleanup.Parts{Backends: w.reapers(), Providers: schemas()})
}

func (w *world) sweep() sweep.Parts { return sweep.Parts{Backends: w.reapers(), Providers: schemas()} }

func (w *world) reapers() []backend.Reaper { return []backend.Reaper{host.New(), w.box} }

func schemas() []policyfile.Provider { return []policyfile.Provider{grant.AWS{}, toyProvider{}} }

// job is a job on its way through the stages.
type job struct {
	*world

	id      string
	environ []string // of each stage
}

// result is what a stage left.
type result struct {
	code     int
	out, log string
}

// newJob returns a job that wants to be of a tenant and has those variables. Its id is
// no other job's of this host.
func (w *world) newJob(t *testing.T, tenant string, variables map[string]string) *job {
	t.Helper()
	j := &job{world: w, id: fmt.Sprint(time.Now().UnixNano())}
	w.write(t, "response.json", fmt.Sprintf(`{"id": %s, "token": "job-token", "git_info": {"protected": true}, "runner_info": {"timeout": 3600},
		"job_info": {"project_id": 42, "pipeline_id": 9, "project_full_path": "acme/deploy"}}`, j.id))
	claims := map[string]any{
		"iss": w.gitlab.Issuer(), "aud": "aud", "sub": "s", "jti": "j", "iat": time.Now().Unix(), "exp": time.Now().Unix() + 3600,
		"job_id": j.id, "project_id": "42", "job_project_id": "42", "project_path": "acme/deploy", "job_project_path": "acme/deploy",
		"ref": "main", "ref_type": "branch", "ref_protected": "true",
	}
	j.environ = append(slices.Clone(w.service), "JOB_RESPONSE_FILE="+filepath.Join(w.dir, "response.json"),
		"CUSTOM_ENV_TENANT="+tenant, "CUSTOM_ENV_GITLAB_OIDC_TOKEN="+w.gitlab.SignToken(claims))
	for name, value := range variables {
		j.environ = append(j.environ, "CUSTOM_ENV_"+name+"="+value)
	}
	return j
}

// serve runs a stage of the job.
func (j *job) serve(p program.Program, more ...string) result {
	var out, log strings.Builder
	args := append([]string{"--config", filepath.Join(j.dir, "rolecall.toml")}, more...)
	code := p.Serve(args, j.environ, nil, &out, &log)
	return result{code, out.String(), kit.Flat(log.String())}
}

// configure runs the stage config, does what it tells the runner, and returns the
// builds_dir and the shell.
func (j *job) configure(t *testing.T) (builds, shell string) {
	t.Helper()
	var told struct {
		BuildsDir string            `json:"builds_dir"`
		Shell     string            `json:"shell"`
		JobEnv    map[string]string `json:"job_env"`
	}
	r := j.serve(j.config())
	if r.code != 0 || r.log != "" {
		t.Fatalf("config: %+v", r)
	}
	kit.Must(t, json.Unmarshal([]byte(r.out), &told))
	for _, name := range slices.Sorted(maps.Keys(told.JobEnv)) {
		j.environ = append(j.environ, name+"="+told.JobEnv[name])
	}
	kit.Must(t, os.MkdirAll(told.BuildsDir, 0o700))
	j.environ = append(j.environ, "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+told.BuildsDir+"/deploy.tmp")
	return told.BuildsDir, told.Shell
}
