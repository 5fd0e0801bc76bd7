package prepare_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/internal/program"
	"rolecall/internal/stage/prepare"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// policyText is the policy file, with the paths and the issuer of a test.
const policyText = `builds_dir = "DIR/builds"
cache_dir = "DIR/cache"
audit_log = "DIR/audit"
shared_user = "unsafe"
run_as_root = "unsafe"
[gitlab]
issuer = "ISSUER"
[gate]
incomplete = "warn"
max_bytes = 7
max_duration = "3m"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy"
id_token = "ALPHA_TOKEN"
audience = "aud"
projects = ["acme/deploy"]
max_open_files = 99
`

// host is a host with the files of its admin, the server of GitLab, a backend and a
// provider.
type host struct {
	dir, root string
	gitlab    *coordinator.Server
	box       *box
	cloud     *cloud
}

// cloud is AWS whose server gives that credential and error, and does something
// before. It keeps what it is asked.
type cloud struct {
	sts.Provider

	gives  creds.Credential
	fails  error
	before func()
	holds  creds.Handle // what revokes the credential; zero: nothing does
	asked  []creds.Order
	tokens []string
}

func (c *cloud) Issue(_ context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	c.asked, c.tokens = append(c.asked, o), append(c.tokens, token.Raw.Reveal())
	if c.before != nil {
		c.before()
	}
	if c.holds.Provider != "" {
		return c.gives, errors.Join(o.Hold(c.holds), c.fails)
	}
	return c.gives, c.fails
}

// newHost returns a host whose provider gives one secret.
func newHost(t *testing.T, gitlab *coordinator.Server) *host {
	t.Helper()
	dir := t.TempDir()
	secret := mask.NewSecret("0123456789abcdef")
	h := &host{dir: dir, root: filepath.Join(dir, "root"), gitlab: gitlab, box: &box{Backend: &toy.Backend{}}, cloud: &cloud{}}
	h.cloud.gives = creds.Credential{
		Provider: "aws",
		Env:      []creds.Variable{{Name: "CLOUD_SECRET", Value: secret}},
		Secrets:  []mask.Named{{Kind: "secret", Value: secret}},
		Facts:    creds.Facts{{Name: "role_arn", Value: "arn:role"}, {Name: "role_session_name", Value: "session-of-7"}},
		Expires:  time.Now().Add(time.Hour).Truncate(time.Second),
	}
	kit.Must(t, os.Mkdir(h.root, 0o700))
	h.write(t, "rolecall.toml", strings.NewReplacer("DIR", dir, "ISSUER", gitlab.Issuer()).Replace(policyText))
	h.write(t, "response.json", `{"id": 7, "token": "job-token", "git_info": {"protected": true}, "runner_info": {"timeout": 3600},
		"job_info": {"project_id": 42, "pipeline_id": 9, "project_full_path": "acme/deploy"}}`)
	return h
}

// newGitLab starts a server that signs tokens.
func newGitLab(t *testing.T) *coordinator.Server {
	t.Helper()
	gitlab, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(gitlab.Close)
	gitlab.RotateToECKey() // it signs fast
	return gitlab
}

// file returns the path of a file of the host.
func (h *host) file(name string) string { return filepath.Join(h.dir, name) }

// write writes a file of the host.
func (h *host) write(t *testing.T, name, content string) {
	t.Helper()
	kit.Must(t, os.WriteFile(h.file(name), []byte(content), 0o600))
}

// edit changes a file of the host.
func (h *host) edit(t *testing.T, name, from, to string) {
	t.Helper()
	content := h.read(name)
	if !strings.Contains(content, from) {
		t.Fatalf("%s has no %s:\n%s", name, from, content)
	}
	h.write(t, name, strings.Replace(content, from, to, 1))
}

// read returns a file of the host, empty where there is none.
func (h *host) read(name string) string {
	content, _ := os.ReadFile(h.file(name))
	return string(content)
}

// token returns an ID token of job 7, or of another.
func (h *host) token(job string) string {
	now := time.Now().Unix()
	return h.gitlab.SignToken(map[string]any{
		"iss": h.gitlab.Issuer(), "aud": "aud", "sub": "s", "jti": "j", "iat": now, "exp": now + 3600,
		"job_id": job, "pipeline_id": "9", "project_id": "42", "job_project_id": "42", "project_path": "acme/deploy", "job_project_path": "acme/deploy",
		"ref": "main", "ref_type": "branch", "ref_protected": "true",
	})
}

// events returns the lines of the audit log, of which only a part is kept.
func (h *host) events(t *testing.T) []audit.Event {
	t.Helper()
	var events []audit.Event
	for line := range strings.Lines(h.read("audit")) {
		var e audit.Event
		kit.Must(t, json.Unmarshal([]byte(line), &e))
		events = append(events, audit.Event{Event: e.Event, Code: e.Code, Allowed: e.Allowed, Tenant: e.Tenant, RoleARN: e.RoleARN, RoleSessionName: e.RoleSessionName})
	}
	return events
}

// left returns what is in the folder of all jobs, the issuer's keys and the ledger aside,
// and in the build directory.
func (h *host) left() []string {
	var names []string
	for _, pattern := range []string{"root/*", "builds/*/*/deploy.tmp/*"} {
		found, _ := filepath.Glob(h.file(pattern))
		names = append(names, found...)
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.Contains([]string{"keys", "tries", "ledger"}, filepath.Base(name))
	})
}

// call is a call of the stage, which a test can change.
type call struct {
	*host

	args    []string
	environ []string
	out     io.Writer // also gets what the stage prints
	stores  []func()  // are called before the store is read
}

// newBareCall returns a call for job 7, which is of tenant alpha. Config has not run.
func newBareCall(h *host) *call {
	return &call{host: h, args: []string{"--config", h.file("rolecall.toml")}, out: io.Discard, environ: []string{
		"PATH=/bin", "JOB_RESPONSE_FILE=" + h.file("response.json"), "ROLECALL_STORE=" + h.root,
		"CUSTOM_ENV_TENANT=alpha", "CUSTOM_ENV_ALPHA_TOKEN=" + h.token("7"), "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=" + h.file("builds/alpha/protected/deploy.tmp"),
	}}
}

// newCall returns a call for job 7 after config.
func newCall(t *testing.T, h *host) *call {
	t.Helper()
	c := newBareCall(h)
	c.tell(t, program.Flags{Config: h.file("rolecall.toml")})
	return c
}

// tell says that the config stage was started with those flags and read this policy
// file.
func (c *call) tell(t *testing.T, flags program.Flags) {
	t.Helper()
	policy, err := flags.Policy(sts.NewProvider())
	kit.Must(t, err)
	told, err := (&program.Call{Flags: flags}).Tell(policy)
	kit.Must(t, err)
	c.set("ROLECALL_FLAGS=" + told)
}

// set puts entries into the environment, in which the last of a name counts.
func (c *call) set(entries ...string) { c.environ = append(c.environ, entries...) }

// unset takes a variable from the environment.
func (c *call) unset(name string) {
	c.environ = slices.DeleteFunc(c.environ, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
}

// result is what a call of the stage left.
type result struct {
	code     int
	out, log string
}

// serve runs the stage.
func (c *call) serve() result {
	var out, log strings.Builder
	stage := prepare.New(prepare.Parts{Backends: []prepare.Backend{c.box}, Providers: []prepare.Provider{c.cloud}, Stores: []prepare.Store{shelf{c: c}}})
	code := stage.Serve(c.args, c.environ, nil, io.MultiWriter(&out, c.out), &log)
	return result{code, out.String(), kit.Flat(log.String())}
}
