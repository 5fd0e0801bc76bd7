package coordinator_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

const runner = "glrt-runner"

func start(t *testing.T) *coordinator.Server {
	t.Helper()
	server, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return server
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// question is a request as a runner sends it, with a job's token.
type question struct {
	method, url, token, body string
	contentRange             string
}

func call(t *testing.T, q question) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), q.method, q.url, strings.NewReader(q.body))
	kit.Must(t, err)
	request.Header.Set("JOB-TOKEN", q.token)
	request.Header.Set("Content-Range", q.contentRange)
	response, err := http.DefaultClient.Do(request)
	kit.Must(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	kit.Must(t, err)
	return answer{response.StatusCode, response.Header, content}
}

// askForJob asks once for the next job.
func askForJob(t *testing.T, server *coordinator.Server) answer {
	t.Helper()
	return call(t, question{
		method: "POST",
		url:    server.URL() + "/api/v4/jobs/request",
		body:   `{"token":"` + runner + `"}`,
	})
}

// payload is the parts of a job's JSON that the tests look at.
type payload struct {
	ID        int64
	Token     string
	Variables []coordinator.Variable
	Steps     []struct{ Name string }
	GitInfo   struct {
		RepoURL string `json:"repo_url"`
	} `json:"git_info"`
}

// pick takes the next job, as a runner does.
func pick(t *testing.T, server *coordinator.Server) payload {
	t.Helper()
	got := askForJob(t, server)
	if got.status != http.StatusCreated {
		t.Fatalf("asking for a job: status %d", got.status)
	}
	var job payload
	kit.Must(t, json.Unmarshal(got.body, &job))
	return job
}

func jobURL(server *coordinator.Server, job payload) string {
	return fmt.Sprintf("%s/api/v4/jobs/%d", server.URL(), job.ID)
}

// report tells the job's state, as JSON.
func report(t *testing.T, server *coordinator.Server, job payload, state string) answer {
	t.Helper()
	return call(t, question{method: "PUT", url: jobURL(server, job), token: job.Token, body: state})
}

func TestNoJobIsNoContent(t *testing.T) {
	t.Parallel()
	server := start(t)
	server.Enqueue("another runner", coordinator.Job{})
	if got := askForJob(t, server); got.status != http.StatusNoContent {
		t.Errorf("got status %d, want 204", got.status)
	}
}

func TestVariableOrder(t *testing.T) {
	server := start(t)
	run := server.Enqueue(runner, coordinator.Job{
		IDTokens: map[string]string{"ID_TOKEN": "aud"},
		Variables: []coordinator.Variable{
			{Key: "ID_TOKEN", Value: "forged"},
			{Key: "CI_PROJECT_PATH", Value: "x/y"},
		},
	})
	job := pick(t, server)
	at := make(map[string][]int)
	for i, v := range job.Variables {
		at[v.Key] = append(at[v.Key], i)
	}
	tokens := at["ID_TOKEN"]
	if len(tokens) != 2 || len(at["CI_PROJECT_PATH"]) != 2 {
		t.Fatalf("overridden variables must appear twice: %v", at)
	}
	order := []int{at["CI_JOB_TOKEN"][0], tokens[0], at["CI_PROJECT_PATH"][0], tokens[1]}
	if !slices.IsSorted(order) {
		t.Errorf("not in the order job, ID tokens, project, user: %v", at)
	}
	want := coordinator.Variable{Key: "ID_TOKEN", Value: run.IDToken("ID_TOKEN"), Masked: true}
	if diff := cmp.Diff(want, job.Variables[tokens[0]]); diff != "" {
		t.Error(diff)
	}
}

func TestMutate(t *testing.T) {
	server := start(t)
	run := server.Enqueue(runner, coordinator.Job{
		AfterScript: []string{"true"},
		Mutate:      func(job map[string]any) { job["steps"] = job["steps"].([]any)[1:] },
	})
	job := pick(t, server)
	if len(job.Steps) != 1 || job.Steps[0].Name != "after_script" {
		t.Errorf("got steps %v", job.Steps)
	}
	if !bytes.Contains(run.Payload(), []byte(job.Token)) {
		t.Error("Payload is not what was sent")
	}
}

func TestLogAndResult(t *testing.T) {
	server := start(t)
	run := server.Enqueue(runner, coordinator.Job{})
	job := pick(t, server)
	for _, patch := range []struct {
		contentRange, body string
		status             int
		accepted           string
	}{
		{"0-4", "hello", http.StatusAccepted, "0-5"},
		{"0-4", "hello", http.StatusRequestedRangeNotSatisfiable, "0-5"},
		{"5-10", " world", http.StatusAccepted, "0-11"},
	} {
		got := call(t, question{
			method:       "PATCH",
			url:          jobURL(server, job) + "/trace",
			token:        job.Token,
			body:         patch.body,
			contentRange: patch.contentRange,
		})
		if got.status != patch.status || got.header.Get("Range") != patch.accepted {
			t.Errorf("%s: got %d, Range %s", patch.contentRange, got.status, got.header.Get("Range"))
		}
		if status := got.header.Get("Job-Status"); status != "running" {
			t.Errorf("job status is %q", status)
		}
	}
	if run.Log() != "hello world" {
		t.Errorf("log is %q", run.Log())
	}
	report(t, server, job, `{"state":"failed","failure_reason":"script_failure","exit_code":3}`)
	result, err := run.Wait(t.Context())
	kit.Must(t, err)
	if result.State != "failed" || result.FailureReason != "script_failure" || result.ExitCode != 3 {
		t.Errorf("got %+v", result)
	}
}

func TestJobTokenIsNeeded(t *testing.T) {
	server := start(t)
	server.Enqueue(runner, coordinator.Job{})
	job := pick(t, server)
	job.Token = "wrong"
	got := report(t, server, job, `{"state":"success"}`)
	if got.status != http.StatusForbidden {
		t.Errorf("got status %d, want 403", got.status)
	}
}

func TestCancel(t *testing.T) {
	for status, stop := range map[string]func(*coordinator.Run){
		"canceling": (*coordinator.Run).Cancel,
		"canceled":  (*coordinator.Run).Abort,
	} {
		t.Run(status, func(t *testing.T) {
			server := start(t)
			pending := server.Enqueue("another runner", coordinator.Job{})
			running := server.Enqueue(runner, coordinator.Job{})
			job := pick(t, server)
			stop(pending)
			stop(running)
			got := report(t, server, job, `{"state":"failed"}`)
			if told := got.header.Get("Job-Status"); told != status {
				t.Errorf("the runner is told %q", told)
			}
			for _, run := range []*coordinator.Run{pending, running} {
				if result, err := run.Wait(t.Context()); err != nil || result.State != "canceled" {
					t.Errorf("got %+v, %v", result, err)
				}
			}
		})
	}
}

func TestClone(t *testing.T) {
	server := start(t)
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"dir/file": "content"})
	kit.Must(t, err)
	server.Host("group/sub/project", repo)
	server.Enqueue(runner, coordinator.Job{Project: coordinator.Project{Path: "group/sub/project"}})
	url := pick(t, server).GitInfo.RepoURL
	target := filepath.Join(t.TempDir(), "clone")
	clone := exec.CommandContext(t.Context(), "git", "clone", "--quiet", url, target)
	if out, err := clone.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if !strings.HasSuffix(url, "/group/sub/project.git") {
		t.Errorf("the repository's URL is %s", url)
	}
}
