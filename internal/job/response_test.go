package job_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// whole is a job response as a server sends it, with members that are not read.
const whole = `{
  "id": 4711, "token": "glcbt-job-token", "allow_git_fetch": true,
  "job_info": {"name": "deploy", "project_id": 12, "pipeline_id": 345, "project_full_path": "group/project"},
  "git_info": {"ref": "main", "protected": true},
  "runner_info": {"timeout": 3600, "session_server_url": null},
  "variables": [
    {"key": "GITLAB_OIDC_TOKEN", "value": "first", "public": true, "file": true, "masked": true},
    {"key": "TENANT", "value": "alpha"},
    {"key": "GITLAB_OIDC_TOKEN", "value": "second"},
    {"key": "GITLAB_OIDC_TOKEN", "value": "first"}
  ],
  "image": {"name": "alpine:3", "entrypoint": [""], "pull_policy": ["always", "never"], "executor_opts": {"docker": {"platform": "linux/arm64", "user": 1000}, "kubernetes": {"user": "7"}}},
  "services": [{"name": "postgres", "alias": "db", "command": ["-c", "fsync=off"], "variables": [{"key": "A", "value": "$B", "raw": true}], "executor_opts": {"docker": {"user": "u:g"}, "kubernetes": {}}}, {"name": "docker:dind"}],
  "credentials": [{"type": "registry", "url": "r.example.com", "username": "u", "password": "p"}, {"type": "vault", "url": "x"}],
  "steps": [{"name": "script", "script": ["id", "env"]}], "a_new_field": {"id": 1}
}`

// write writes a job response and returns its path.
func write(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "response.json")
	kit.Must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestReadResponse(t *testing.T) {
	t.Parallel()
	got, err := job.ReadResponse(write(t, whole))
	kit.Must(t, err)
	if got.Proof == "" {
		t.Error("a response with a token has no proof")
	}
	want := job.Response{Key: job.Key{ID: 4711, Proof: got.Proof}, Name: "deploy", Project: 12, ProjectPath: "group/project", Protected: true, Pipeline: 345, Timeout: time.Hour, Variables: []job.Variable{
		{Key: "GITLAB_OIDC_TOKEN", Value: "first", Public: true, File: true},
		{Key: "TENANT", Value: "alpha"},
		{Key: "GITLAB_OIDC_TOKEN", Value: "second"},
		{Key: "GITLAB_OIDC_TOKEN", Value: "first"},
	}, Image: job.Container{
		Name: "alpine:3", Entrypoint: []string{""}, PullPolicies: []string{"always", "never"},
		User: "1000", Platform: "linux/arm64", OtherUser: "7",
	}, Services: []job.Container{
		{Name: "postgres", Alias: "db", Command: []string{"-c", "fsync=off"}, Variables: []job.Variable{{Key: "A", Value: "$B", Raw: true}}, User: "u:g"},
		{Name: "docker:dind"},
	}, Logins: []job.Login{{URL: "r.example.com", Username: "u", Password: mask.NewSecret("p")}}}
	revealed := cmp.Transformer("Reveal", mask.Secret.Reveal)
	if diff := cmp.Diff(want, got, revealed); diff != "" {
		t.Error(diff)
	}
	if text := fmt.Sprintf("%+v", got.Logins); strings.Contains(text, " p") || !strings.Contains(text, "[MASKED]") {
		t.Errorf("a login is printed as %s", text)
	}
	if diff := cmp.Diff([]string{"first", "second"}, got.Values("GITLAB_OIDC_TOKEN")); diff != "" {
		t.Errorf("values differ:\n%s", diff)
	}
	if values := got.Values("gitlab_oidc_token"); values != nil {
		t.Errorf("Values of a variable that was not sent = %q", values)
	}
	if got.ID.String() != "4711" {
		t.Errorf("the id prints as %s", got.ID)
	}
}

// TestReadResponseWithout: members that a job can do without may be absent.
func TestReadResponseWithout(t *testing.T) {
	t.Parallel()
	got, err := job.ReadResponse(write(t, `{"id":1,"job_info":{"project_id":2,"pipeline_id":3},"variables":null}`))
	if diff := cmp.Diff(job.Response{Key: job.Key{ID: 1}, Project: 2, Pipeline: 3}, got); err != nil || diff != "" {
		t.Errorf("error %v, response differs:\n%s", err, diff)
	}
}

func TestReadResponseRefuses(t *testing.T) {
	t.Parallel()
	const numbers = "job_info.project_id and job_info.pipeline_id must be positive numbers"
	const number = "id must be a positive number"
	info := `"job_info":{"project_id":2,"pipeline_id":3}`
	for name, test := range map[string]struct{ content, want string }{
		"empty":                  {``, "broken at byte 0"},
		"not JSON":               {`<html>`, "broken at byte 1"},
		"truncated":              {whole[:300], "broken at byte 300"},
		"NUL bytes":              {"\x00\x00", "broken at byte 1"},
		"two documents":          {`{"id":1,` + info + `}{}`, "broken at byte"},
		"an array":               {`[]`, `must not be a array`},
		"null":                   {`null`, number},
		"no id":                  {`{` + info + `}`, number},
		"id 0":                   {`{"id":0,` + info + `}`, number},
		"a negative id":          {`{"id":-1,` + info + `}`, number},
		"id as a text":           {`{"id":"1",` + info + `}`, `"id" must not be a string`},
		"id as a fraction":       {`{"id":1.5,` + info + `}`, `"id" must not be a number`},
		"an id out of range":     {`{"id":9223372036854775808,` + info + `}`, `"id" must not be a number`},
		"no project":             {`{"id":1,"job_info":{"pipeline_id":3}}`, numbers},
		"no pipeline":            {`{"id":1,"job_info":{"project_id":3}}`, numbers},
		"job_info as a text":     {`{"id":1,"job_info":"x"}`, `"job_info" must not be a string`},
		"variables as an object": {`{"id":1,` + info + `,"variables":{"key":"K","value":"V"}}`, `"variables" must not be a object`},
		"a value as a number":    {`{"id":1,` + info + `,"variables":[{"key":"K","value":1}]}`, `must not be a number`},
		"a user as a list":       {`{"id":1,` + info + `,"image":{"executor_opts":{"docker":{"user":[1]}}}}`, `cannot decode it`},
		"an image as a text":     {`{"id":1,` + info + `,"image":"alpine"}`, `"image" must not be a string`},
		"a key as an object":     {`{"id":1,` + info + `,"variables":[{"key":{"a":1}}]}`, `must not be a object`},
		"10000 arrays deep":      {strings.Repeat("[", 20000), "broken at byte"},
	} {
		got, err := job.ReadResponse(write(t, test.content))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "JOB_RESPONSE_FILE") {
			t.Errorf("%s: error %v, want one of JOB_RESPONSE_FILE with %q", name, err, test.want)
		}
		if diff := cmp.Diff(job.Response{}, got); diff != "" {
			t.Errorf("%s: a response beside the error:\n%s", name, diff)
		}
	}
}

// TestErrorHoldsNoValue: the values of variables are secrets, and the errors of a JSON
// parser quote its input.
func TestErrorHoldsNoValue(t *testing.T) {
	t.Parallel()
	const secret = "18446744073709551616123"
	for name, content := range map[string]string{
		"number for text":   `{"id":1,"variables":[{"key":"K","value":` + secret + `}]}`,
		"huge id":           `{"id":` + secret + `}`,
		"text for number":   `{"id":"` + secret + `"}`,
		"text for object":   `{"id":1,"job_info":"` + secret + `"}`,
		"unknown literal":   `{"id":1,"variables":[{"key":"K","value":x` + secret + `}]}`,
		"broken off within": `{"id":1,"variables":[{"key":"K","value":"` + secret,
		"bad escape":        `{"id":1,"variables":[{"key":"K","value":"\q` + secret + `"}]}`,
	} {
		path := write(t, content)
		_, err := job.ReadResponse(path)
		if err == nil || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%s: ReadResponse: error %v, want one without the value", name, err)
		}
		if _, err := job.ReadKey(path); err != nil && strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%s: ReadID: error %v holds the value", name, err)
		}
	}
}

func TestReadKey(t *testing.T) {
	t.Parallel()
	if key, err := job.ReadKey(write(t, whole)); key.ID != 4711 || err != nil {
		t.Errorf("ReadKey = %v, %v, want 4711", key, err)
	}
	// Cleanup needs only the key, so damage elsewhere must not matter.
	if key, err := job.ReadKey(write(t, `{"id":9,"job_info":"x","variables":7}`)); key.ID != 9 || err != nil {
		t.Errorf("ReadKey of an odd response = %v, %v, want 9", key, err)
	}
	for content, want := range map[string]string{
		`{}`:         "id must be a positive number",
		`{"id":-4}`:  "id must be a positive number",
		`{"id":"4"}`: `"id" must not be a string`,
		`{"id":`:     "is not the JSON of a job",
	} {
		key, err := job.ReadKey(write(t, content))
		if key.ID != 0 || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadKey of %s = %v, %v, want an error with %q", content, key, err, want)
		}
	}
}

// TestProof: jobs with the same id and other tokens have other proofs, and a proof
// shows no part of the token.
func TestProof(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, content := range []string{
		`{"id":4,"token":"glcbt-one"}`, `{"id":4,"token":"glcbt-two"}`, `{"id":4}`,
	} {
		key, err := job.ReadKey(write(t, content))
		if err != nil || key.ID != 4 || strings.Contains(key.Proof, "glcbt") {
			t.Errorf("ReadKey of %s = %v, %v", content, key, err)
		}
		if other, ok := seen[key.Proof]; ok {
			t.Errorf("%s and %s have the same proof", content, other)
		}
		seen[key.Proof] = content
	}
	again, err := job.ReadKey(write(t, `{"token":"glcbt-one","x":[{}],"id":4}`))
	if err != nil || seen[again.Proof] != `{"id":4,"token":"glcbt-one"}` {
		t.Errorf("ReadKey of the same job, written otherwise = %v, %v", again, err)
	}
	// Cleanup needs the id, even if the response is cut after it.
	cut, err := job.ReadKey(write(t, `{"id":4,"tok`))
	if err != nil || cut.ID != 4 || cut.Proof != "" {
		t.Errorf("ReadKey of a truncated response = %v, %v, want job 4", cut, err)
	}
}

func TestReadWithoutFile(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.json")
	for path, want := range map[string]string{
		"":          "JOB_RESPONSE_FILE is not set: the custom executor of GitLab Runner",
		missing:     "no such file or directory",
		t.TempDir(): "is a directory",
	} {
		if _, err := job.ReadResponse(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadResponse(%q): error %v, want one with %q", path, err, want)
		}
		if _, err := job.ReadKey(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ReadKey(%q): error %v, want one with %q", path, err, want)
		}
	}
}
