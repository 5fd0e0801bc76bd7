package admin_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admin"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/creds/static"
	"rolecall/internal/creds/vault"
	"rolecall/test/coordinator"
)

// world is a policy file, a GitLab and a job of it.
type world struct {
	gitlab *coordinator.Server
	dir    string
	policy string
	claims map[string]any // of the job's ID token
	more   []coordinator.Variable
	sent   map[string]any // what else GitLab sends of the job
}

// newWorld returns a world in which the job is allowed: tenant alpha takes it.
func newWorld(t *testing.T) *world {
	t.Helper()
	gitlab, err := coordinator.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gitlab.Close)
	now := time.Now().Unix()
	w := &world{gitlab: gitlab, dir: t.TempDir(), claims: map[string]any{
		"iss": gitlab.Issuer(), "aud": "https://gitlab.example.com", "iat": now, "nbf": now - 5, "exp": now + 3600,
		"sub": "project_path:acme/deploy:ref_type:branch:ref:main", "job_id": "7", "project_id": "42", "job_project_id": "42",
		"project_path": "acme/deploy", "job_project_path": "acme/deploy", "ref": "main", "ref_type": "branch", "ref_protected": "true",
	}}
	w.policy = fmt.Sprintf("shared_user = \"unsafe\"\nrun_as_root = \"unsafe\"\n[gitlab]\nissuer = %q\n", gitlab.Issuer()) + `[defaults]
audience = "https://gitlab.example.com"
region = "eu-central-1"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy-alpha"
projects = ["acme/deploy"]
refs = ["main", "release/*"]
duration = "2h"
[[tenant]]
name = "beta"
role_arn = "arn:aws:iam::444455556666:role/deploy-beta"
projects = ["acme/other"]
`
	return w
}

// withKeys makes the policy name the keys of the GitLab, on disk.
func (w *world) withKeys(t *testing.T) {
	t.Helper()
	response, err := http.Get(w.gitlab.URL() + "/oauth/discovery/keys")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	keys, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	w.policy = strings.Replace(w.policy, "[gitlab]", fmt.Sprintf("[gitlab]\njwks_file = %q", w.write(t, "keys.json", keys)), 1)
}

func (w *world) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// token returns the job's ID token.
func (w *world) token() string { return w.gitlab.SignToken(w.claims) }

// job writes the job response and returns its path. Variables of the world come
// after those of GitLab.
func (w *world) job(t *testing.T, token string) string {
	t.Helper()
	variables := []coordinator.Variable{{Key: "CI_JOB_ID", Value: "7"}}
	if token != "" {
		variables = append(variables, coordinator.Variable{Key: "GITLAB_OIDC_TOKEN", Value: token})
	}
	response := map[string]any{
		"id": 7, "token": "glcbt-SECRET", "job_info": map[string]any{"project_id": 42, "pipeline_id": 9, "project_full_path": "acme/deploy"},
		"git_info": map[string]any{"protected": true}, "variables": slices.Concat(variables, w.more),
	}
	maps.Copy(response, w.sent)
	content, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	return w.write(t, "response.json", content)
}

// result is what a call of the program left.
type result struct {
	code        int
	out, errors string
}

func run(stdin string, args ...string) result {
	var out, errors bytes.Buffer
	code := admin.Program{grant.AWS{}, static.Provider{}, external.Exec{}, gcp.Provider{}, azure.Provider{}, vault.Provider{}}.Serve(args, nil, strings.NewReader(stdin), &out, &errors)
	return result{code, out.String(), errors.String()}
}

// runTo runs the program with standard output in a file.
func runTo(out io.Writer, args ...string) int {
	return admin.Program{grant.AWS{}}.Serve(args, nil, strings.NewReader(""), out, io.Discard)
}

// explain calls rolecall explain with the world's policy and a job with this token.
func (w *world) explain(t *testing.T, token string, args ...string) result {
	t.Helper()
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	got := run("", append([]string{"explain", "--config", policy, "--job", w.job(t, token)}, args...)...)
	if token != "" && strings.Contains(got.out+got.errors, token) || strings.Contains(got.out+got.errors, "SECRET") {
		t.Errorf("a secret is in\n%s%s", got.out, got.errors)
	}
	return got
}

// with returns the claims with others in their place.
func (w *world) with(changed map[string]any) *world {
	maps.Copy(w.claims, changed)
	return w
}

// withoutPolicy returns the flags of a runner without a policy file, whose jobs run as
// the driver's user, whoever that is.
func withoutPolicy() []string {
	if os.Geteuid() == 0 {
		return []string{"explain", "--no-policy", "--run-as", "root"}
	}
	return []string{"explain", "--no-policy"}
}
