package e2e_test

import (
	"fmt"
	"testing"

	"rolecall/test/coordinator"
)

// testExitCodes runs a job for every exit code and looks at what GitLab is told.
func testExitCodes(t *testing.T, w *world) {
	runs := make([]*coordinator.Run, 256)
	for code := range runs {
		runs[code] = w.enqueue(sharedToken, coordinator.Job{Script: []string{fmt.Sprintf("exit %d", code)}})
	}
	for code, run := range runs {
		result := wait(t, run)
		if code == 0 {
			if result.State != "success" {
				t.Errorf("exit 0: %+v", result)
			}
			continue
		}
		if result.FailureReason != "script_failure" || result.ExitCode != code {
			t.Errorf("exit %d: %+v", code, result)
		}
	}
}

// testKilled runs scripts that die of a signal, or whose stage after them fails
// otherwise.
func testKilled(t *testing.T, w *world) {
	codes := map[string]int{
		"kill -KILL $$":       137,
		"kill -ABRT $$":       134,
		"kill -SEGV $$":       139,
		"kill -TERM $$":       1, // the runner's own script has a trap for it
		"kill -HUP $$":        129,
		"exec false":          1,
		"no-such-command-xyz": 127,
		"/etc/passwd":         126,
	}
	runs := map[string]*coordinator.Run{}
	for script := range codes {
		runs[script] = w.enqueue(sharedToken, coordinator.Job{Script: []string{script}, AfterScript: []string{"exit 3"}})
	}
	for script, code := range codes {
		run := runs[script]
		if result := wait(t, run); result.FailureReason != "script_failure" || result.ExitCode != code {
			t.Errorf("%s: %+v, want exit code %d; log:\n%s", script, result, code, run.Text())
		}
	}
}
