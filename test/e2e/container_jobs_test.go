package e2e_test

import (
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// dressed is a container world each of whose jobs runs in an image, as one that the policy
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

// TestJobsInImages runs jobs of TestJobs in containers, at the same time.
func TestJobsInImages(t *testing.T) { //nolint:tparallel // the jobs must be over before what they left is looked for
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newDressedWorld(t, "ci/tool:1")
	t.Run("at once", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *world){
			"matrix":                testMatrix,
			"stages":                testStages,
			"git strategies":        testGitStrategies,
			"artifacts and caches":  testUploads,
			"file variables":        testFileVariables,
			"script that is killed": testKilled,
			"cancel":                testCancel,
			"abort":                 testAbort,
			"timeout":               testTimeout,
			"after_script too long": testAfterTimeout,
			"masked":                testMasked,
			"traced":                testTraced,
			"directories":           testDirectories,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, w.world)
			})
		}
	})
	w.checkNothingLeft(t)
}
