package e2e_test

import (
	"testing"

	"rolecall/test/coordinator"
)

// TestSecondToken: an ID token that is not the one for AWS is a secret of its job as
// well, with a tenant or without. It is neither printed nor uploaded.
func TestSecondToken(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	w := newWorld(t)
	const script = "echo printed=$MY_OIDC_TOKEN; echo $MY_OIDC_TOKEN >> $CI_PROJECT_DIR/.gitlab_oidc_token"
	for _, tenant := range []string{"alpha", ""} {
		t.Run("tenant "+tenant, func(t *testing.T) {
			job := w.job("alpha", script)
			if job.IDTokens["MY_OIDC_TOKEN"] = "https://vault.example.com"; tenant == "" {
				job.Variables = nil
			}
			job.Artifacts = []coordinator.Artifact{{Untracked: true}}
			job.AfterScript = []string{"echo after=$MY_OIDC_TOKEN >&2"}
			run := w.enqueue(sharedToken, job)
			if result := wait(t, run); result.FailureReason != "script_failure" {
				t.Errorf("%+v", result)
			}
			contains(t, run.Text(), "printed=[MASKED]", "after=[MASKED]", `artifacts: ".gitlab_oidc_token": ID token`)
			checkUploads(t, run, []string{run.IDToken("MY_OIDC_TOKEN"), run.IDToken("GITLAB_OIDC_TOKEN")})
			if uploads := run.Artifacts(); len(uploads) > 0 {
				t.Errorf("uploaded: %v", uploads)
			}
		})
	}
}
