package job_test

import (
	"strings"
	"testing"

	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestSteps: a job has steps if the server sends some, as a text with JSON.
func TestSteps(t *testing.T) {
	t.Parallel()
	for run, want := range map[string]bool{
		"null": false, `""`: false, `"[]"`: false, `"null"`: false, "[]": false, `"[{\"name\":\"a\",\"script\":\"id\"}]"`: true, `[{"name": "a"}]`: true,
	} {
		got, err := job.ReadResponse(write(t, strings.Replace(whole, `"a_new_field"`, `"run": `+run+`, "a_new_field"`, 1)))
		kit.Must(t, err)
		if got.Steps != want {
			t.Errorf("%s: %v", run, got.Steps)
		}
	}
	if got, err := job.ReadResponse(write(t, whole)); err != nil || got.Steps {
		t.Errorf("without run: %v, %v", got.Steps, err)
	}
}
