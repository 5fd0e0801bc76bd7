package broker_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/broker"
	"rolecall/internal/creds/aws/sts"
	"rolecall/test/auditlog"
	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// audience is what tokens must be for.
const audience = "https://rolecall.example.com"

// world is a broker with a stand-in for GitLab and one for STS.
type world struct {
	*broker.Running

	t      *testing.T
	gitlab *coordinator.Server
	sts    *fakests.Server
	dir    string
	log    kit.Buffer
}

// tenants is the part of the policy file that most tests use.
const tenants = `
[[tenant]]
name = "alpha"
audience = "` + audience + `"
projects = ["acme/deploy"]
refs = ["main", "release/*"]
role_arn = "arn:aws:iam::111122223333:role/deploy-alpha"
[[tenant.source]]
name = "audit"
provider = "aws"
role_arn = "arn:aws:iam::444455556666:role/reader"

[[tenant]]
name = "beta"
audience = "` + audience + `"
projects = ["acme/other"]
role_arn = "arn:aws:iam::111122223333:role/deploy-beta"
`

// newWorld returns a world whose STS gives these answers.
func newWorld(t *testing.T, answers ...fakests.Answer) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	var err error
	w.gitlab, err = coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(w.gitlab.Close)
	w.sts, err = fakests.Start(answers...)
	kit.Must(t, err)
	t.Cleanup(w.sts.Close)
	return w
}

// start starts the broker with those tenants and flags.
func (w *world) start(tenants string, flags ...string) *world {
	w.t.Helper()
	w.write(tenants)
	args := append([]string{"--config", w.policy(), "--listen", "http://127.0.0.1:0", "--status", "127.0.0.1:0", "--state", filepath.Join(w.dir, "state")}, flags...)
	w.Running = broker.Start(w.t, broker.Program{sts.NewProvider().Lasting()}, &w.log, args...)
	return w
}

// policy returns the path of the policy file.
func (w *world) policy() string { return filepath.Join(w.dir, "rolecall.toml") }

// write writes the policy file with those tenants.
func (w *world) write(tenants string) {
	w.t.Helper()
	content := fmt.Sprintf("audit_log = %q\n[gitlab]\nissuer = %q\n[sts]\nendpoint = %q\n[defaults]\nregion = \"eu-central-1\"\n%s",
		filepath.Join(w.dir, "audit.jsonl"), w.gitlab.Issuer(), w.sts.URL(), tenants)
	kit.Must(w.t, os.WriteFile(w.policy(), []byte(content), 0o600))
}

// token returns an ID token of job id of acme/deploy, with these claims changed. A nil removes
// a claim.
func (w *world) token(id int, changed map[string]any) string {
	now := time.Now()
	claims := map[string]any{
		"iss": w.gitlab.Issuer(), "aud": audience, "sub": "project_path:acme/deploy:ref_type:branch:ref:main",
		"iat": now.Unix(), "nbf": now.Unix() - 5, "exp": now.Add(time.Hour).Unix(), "jti": fmt.Sprintf("jti-%d", id),
		"job_id": fmt.Sprint(id), "pipeline_id": "9", "project_id": "42", "project_path": "acme/deploy",
		"job_project_id": "42", "job_project_path": "acme/deploy", "ref": "main", "ref_type": "branch", "ref_protected": "true",
	}
	maps.Copy(claims, changed)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return w.gitlab.SignToken(claims)
}

// reply is an answer of the broker.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask asks the broker for a path with a token.
func (w *world) ask(path, token string) reply {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.URL+path, nil)
	kit.Must(w.t, err)
	request.Header.Set("Authorization", token)
	return w.do(request)
}

// settled asks until the answer is there.
func (w *world) settled(path, token string) (r reply) {
	w.t.Helper()
	kit.Await(w.t, "an answer", func() bool {
		r = w.ask(path, token)
		return !strings.Contains(r.body, "Later")
	})
	return r
}

// do makes a request.
func (w *world) do(request *http.Request) reply {
	w.t.Helper()
	response, err := http.DefaultClient.Do(request)
	kit.Must(w.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	kit.Must(w.t, err)
	return reply{response.StatusCode, response.Header, string(body)}
}

// keyOf returns the access key id of an answer that is a credential, and fails otherwise.
func (r reply) keyOf(t *testing.T) string {
	t.Helper()
	var c struct{ AccessKeyId, SecretAccessKey, Token, Expiration string }
	if err := json.Unmarshal([]byte(r.body), &c); err != nil || r.status != 200 || c.SecretAccessKey == "" || c.Token == "" || c.Expiration == "" {
		t.Errorf("%d %s %v", r.status, r.body, err)
	}
	return c.AccessKeyId
}

// refused fails unless an answer is a refusal with that status and code, and a text that begins so.
func (r reply) refused(t *testing.T, name string, status int, code, text string) {
	t.Helper()
	var c struct{ Code, Message string }
	if err := json.Unmarshal([]byte(r.body), &c); err != nil || r.status != status || c.Code != code || !strings.HasPrefix(c.Message, "rolecall: "+text) || strings.ContainsAny(c.Message, "\n") {
		t.Errorf("%s: %d %s %v, want %d %s %q", name, r.status, r.body, err, status, code, text)
	}
}

// audited returns the events of the audit log, as "event tenant source", and checks all lines.
func (w *world) audited() []string {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, "audit.jsonl"))
	kit.Must(w.t, err)
	auditlog.Check(w.t, content)
	var events []string
	for decoder := json.NewDecoder(strings.NewReader(string(content))); decoder.More(); {
		var e struct{ Event, Tenant, Source, Code, Client string }
		kit.Must(w.t, decoder.Decode(&e))
		if e.Client != "127.0.0.1" {
			w.t.Errorf("a line is about the client %q", e.Client)
		}
		events = append(events, strings.Join(strings.Fields(e.Event+" "+e.Tenant+" "+e.Source+" "+e.Code), " "))
	}
	return events
}
