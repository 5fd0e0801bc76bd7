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

// TestTokenAlone: with default: id_tokens in .gitlab-ci.yml a job of a project without a tenant
// has a token too. It runs in its image, without credentials.
func TestTokenAlone(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	job := w.alpha(`echo "GOT=${#AWS_SECRET_ACCESS_KEY}, token ${GITLAB_OIDC_TOKEN:+there}, user $(id -u)"`)
	job.Project, job.Variables = coordinator.Project{ID: 43, Path: "other/lint"}, nil
	log := w.succeed(t, sharedToken, w.in("ci/tool:1", job))
	contains(t, log, "this job has no tenant and no credentials: no tenant of this runner allows this job", "GOT=0, token there, user 0")
	w.settle(t)
	w.checkNoContainer(t, "a token alone")
}
