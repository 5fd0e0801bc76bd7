package e2e_test

import (
	"strings"
	"testing"

	"rolecall/test/coordinator"
)

// testAfterTimeout: an after_script that does not end in its time is killed with all that
// it has started, however deaf they are, and what it prints is masked until then. It does
// not decide how the job ends.
func testAfterTimeout(t *testing.T, w *world) {
	job := w.job("alpha", "true")
	job.AfterScript = []string{
		"trap '' TERM", "(trap '' TERM HUP; setsid sleep 765432) &",
		`echo "after has $AWS_SECRET_ACCESS_KEY."`, "sleep 765432", "echo after goes on",
	}
	job.Variables = append(job.Variables, coordinator.Variable{Key: "RUNNER_AFTER_SCRIPT_TIMEOUT", Value: "1s"})
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "success" {
		t.Errorf("%+v", result)
	}
	contains(t, run.Text(), "\nafter has [MASKED].")
	if strings.Contains(run.Text(), "\nafter goes on") {
		t.Errorf("after_script goes on:\n%s", run.Text())
	}
	if left := processFiles("cmdline", func(content []byte) bool { return string(content) == "sleep\x00765432\x00" }); len(left) > 0 {
		t.Errorf("%v are left of after_script", left)
	}
}
