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

// TestSteps: a job with run: is refused. Where steps are allowed, GitLab Runner makes them a script
// that starts step-runner, and where there is no such program, the log says so before the job fails.
func TestSteps(t *testing.T) {
	t.Parallel()
	p := newPolicyWorld(t)
	refused := p.enqueue(sharedToken, stepped(p.alpha()))
	if result := wait(t, refused); result.FailureReason != "script_failure" || strings.Contains(refused.Text(), "step-runner:") {
		t.Errorf("%+v; log:\n%s", result, refused.Text())
	}
	contains(t, refused.Text(), "this runner does not run steps", "RC113")
	p.write(t, "steps = \"allow\"\n"+p.policyText())
	p.settle(t)
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
