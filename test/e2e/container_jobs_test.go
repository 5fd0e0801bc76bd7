package e2e_test

import (
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// newDressedWorld starts a container world each of whose jobs runs in an image, as one that the policy
// file allows to be its tenant.
func newDressedWorld(t *testing.T, image string) *containerWorld {
	t.Helper()
	w := newContainerWorld(t, "")
	w.dress = func(job coordinator.Job) coordinator.Job {
		job.Protected = true
		if job.Environment == "beta" {
			job.IDTokens["BETA_ID_TOKEN"] = audience("beta")
		}
		return w.in(image, job)
	}
	return w
}

// TestJobsInImages runs the jobs of TestJobs that can have an image, at the same time.
func TestJobsInImages(t *testing.T) { //nolint:tparallel // the jobs must be over before what they left is looked for
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newDressedWorld(t, "ci/tool:1")
	t.Run("at once", func(t *testing.T) {
		for name, test := range everywhere() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, w.world)
			})
		}
	})
	w.checkNothingLeft(t)
}
