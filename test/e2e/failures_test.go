package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/state"
	"rolecall/test/coordinator"
	"rolecall/test/fakests"
)

// failure is a job that gets no credentials, and what its author sees.
type failure struct {
	answer   fakests.Answer
	change   func(*coordinator.Job)
	reason   string // GitLab's failure reason
	requests int    // to STS
	log      []string
}

func failures() map[string]failure {
	const author, system = "script_failure", "runner_system_failure"
	add := func(key, value string) func(*coordinator.Job) {
		return func(j *coordinator.Job) {
			j.Variables = append(j.Variables, coordinator.Variable{Key: key, Value: value})
		}
	}
	return map[string]failure{
		"access denied": {
			answer: fakests.Error(403, "AccessDenied", "Not authorized"), reason: author, requests: 1,
			log: []string{`AWS refuses the role to this job ("AccessDenied")`, `sub  project_path:acme/deploy:ref_type:branch:ref:main`, `aud  https://alpha.example`, `"StringEquals": {`, "· RC203"},
		},
		"throttled": {
			answer: fakests.Error(400, "Throttling", "Rate exceeded"), reason: system, requests: 9,
			log: []string{"· RC502", `"Throttling"`, "rolecall: try 2 of 3 has failed like the one before (RC502)", "rolecall: try 3 of 3 has failed like the one before (RC502): the runner's admin"},
		},
		"garbage": {
			answer: fakests.HTML(200), reason: system, requests: 9,
			log: []string{"the answer with HTTP status 200 is not from STS"},
		},
		"no ID token": {
			change: func(j *coordinator.Job) { j.IDTokens = nil }, reason: author,
			log: []string{"the job has no ID token in GITLAB_OIDC_TOKEN", "  id_tokens:\n    GITLAB_OIDC_TOKEN:\n      aud: "},
		},
		"token of another job": {
			change: func(j *coordinator.Job) {
				j.MutateClaims = func(claims map[string]any) { claims["job_id"] = "1" }
			},
			reason: author, log: []string{`its claim job_id is "1"`},
		},
		"overridden token": {
			change: add("GITLAB_OIDC_TOKEN", "stolen"), reason: author,
			log: []string{"GITLAB_OIDC_TOKEN has two different values"},
		},
		"stale key": {
			change: add("AWS_ACCESS_KEY_ID", "AKIAOLD"), reason: author,
			log: []string{"variables of the job would override its tenant's credentials; ", "  variables  AWS_ACCESS_KEY_ID"},
		},
		"tenant": {
			change: add("TENANT", "../../etc"), reason: author,
			log: []string{`TENANT is no name of a tenant: "../../etc"`},
		},
		"role": {
			change: add("ROLE_ARN", "deploy"), reason: author,
			log: []string{`"deploy" is not the ARN of an IAM role`},
		},
	}
}

// TestFailures runs jobs that get no credentials: their scripts do not start, the
// log says why, GitLab is told the right reason, and nothing is left.
func TestFailures(t *testing.T) {
	t.Parallel()
	for name, f := range failures() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answers := []fakests.Answer{f.answer}
			if f.answer == nil {
				answers = nil
			}
			sts, err := fakests.Start(answers...)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(sts.Close)
			w := &world{gitlab: startGitLab(t)}
			w.start(t, sts.URL())
			job := w.job("alpha", "echo THE SCRIPT RUNS")
			if f.change != nil {
				f.change(&job)
			}
			run := w.enqueue(sharedToken, job)
			if result := wait(t, run); result.FailureReason != f.reason {
				t.Errorf("%+v, want %s", result, f.reason)
			}
			contains(t, run.Text(), f.log...)
			if got := len(sts.Requests()); got != f.requests {
				t.Errorf("STS got %d requests, want %d", got, f.requests)
			}
			if token := run.IDToken("GITLAB_OIDC_TOKEN"); strings.Contains(run.Text(), "THE SCRIPT RUNS") || token != "" && strings.Contains(run.Text(), token) {
				t.Errorf("the log holds the token or the script's output:\n%s", run.Text())
			}
			w.checkNoFolders(t, run)
		})
	}
}

// checkNoFolders fails the test where a folder of the job is left.
func (w *world) checkNoFolders(t *testing.T, run *coordinator.Run) {
	t.Helper()
	var left []string
	for _, root := range state.Roots() {
		found, _ := filepath.Glob(filepath.Join(root, "*", "job.json"))
		for _, path := range found {
			if content, _ := os.ReadFile(path); strings.Contains(string(content), w.runner.BuildsDir) {
				left = append(left, path)
			}
		}
	}
	links, _ := filepath.Glob(filepath.Join(w.runner.BuildsDir, "*/*/*/*.tmp/rolecall-*"))
	if left = append(left, links...); len(left) > 0 {
		t.Errorf("job %d left %v", run.ID(), left)
	}
}
