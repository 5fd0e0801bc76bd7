package e2e_test

import (
	"strings"
	"testing"

	"rolecall/test/coordinator"
)

// stepped is a job with run: and no script:, as GitLab sends it.
func stepped(job coordinator.Job) coordinator.Job {
	job.Mutate = func(sent map[string]any) {
		sent["run"] = `[{"name":"one","script":"echo hello"}]`
		sent["steps"] = []any{}
	}
	return job
}

// TestSteps: GitLab Runner makes steps a script that starts step-runner. Where there is no such
// program, the log says what the job needs before it fails.
func TestSteps(t *testing.T) {
	t.Parallel()
	p := newPolicyWorld(t)
	run := p.enqueue(sharedToken, stepped(p.alpha()))
	if result := wait(t, run); result.State != "failed" || result.FailureReason != "script_failure" || result.ExitCode != 127 {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	const says = "rolecall: warning: this job has run: and no script:, so GitLab Runner starts the program step-runner; where it is not installed, use script:"
	contains(t, run.Text(), says, "step-runner: command not found")
	if at := strings.LastIndex(run.Text(), says); at > strings.Index(run.Text(), "step-runner: command not found") {
		t.Errorf("it is said too late:\n%s", run.Text())
	}
	p.settle(t)
	p.checkNothingLeft(t)
}
