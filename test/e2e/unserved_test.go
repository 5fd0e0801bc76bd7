package e2e_test

import (
	"strings"
	"testing"

	"rolecall/test/coordinator"
)

// TestUnserved: jobs that want no credentials run without, and the log says why before
// their script. What of a job is not used is said there too.
func TestUnserved(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	p := newPolicyWorld(t)
	const none = "rolecall: this job has no tenant and no credentials: "
	const scripted = `echo "GOT=${#AWS_SECRET_ACCESS_KEY}"`
	for name, test := range map[string]struct {
		change func(*coordinator.Job)
		log    []string
		got    string
	}{
		"a default token, another project": {func(j *coordinator.Job) {
			j.Project, j.Variables = coordinator.Project{ID: 43, Path: "other/lint"}, nil
		}, []string{none + `no tenant of this runner allows this job (project "other/lint", ref "main"`}, "0"},
		"a token for Vault": {func(j *coordinator.Job) {
			j.Project, j.Variables = coordinator.Project{ID: 43, Path: "other/lint"}, nil
			j.IDTokens = map[string]string{"GITLAB_OIDC_TOKEN": "https://vault.example.com"}
		}, []string{none + `GITLAB_OIDC_TOKEN is for the audience "https://vault.example.com"; this runner takes "https://alpha.example"`}, "0"},
		"TENANT of other meaning, no token": {func(j *coordinator.Job) {
			j.Project, j.IDTokens = coordinator.Project{ID: 43, Path: "other/lint"}, nil
			j.Variables = []coordinator.Variable{{Key: "TENANT", Value: "contoso.onmicrosoft.com"}}
		}, []string{none + `this runner has no tenant "contoso.onmicrosoft.com"`}, "0"},
		"alpha, with an image and services": {func(j *coordinator.Job) {
			j.Variables = append(j.Variables, coordinator.Variable{Key: "ROLE_ARN", Value: "arn:aws:iam::111122223333:role/other"})
			j.Mutate = func(job map[string]any) {
				job["image"], job["services"] = map[string]any{"name": "alpine:3.20"}, []any{map[string]any{"name": "docker:27-dind"}}
			}
		}, []string{
			"AWS: tenant alpha, role ", ", region eu-central-1 (of the runner's service), until ", " UTC (60 min)", "rolecall: warning: ROLE_ARN is not used: the runner's policy file names the role ",
			`rolecall: warning: this runner has no containers and does not use image: "alpine:3.20" and services: "docker:27-dind": scripts run on its host`,
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			job := p.alpha(scripted)
			test.change(&job)
			log := p.succeed(t, sharedToken, job)
			_, shown, _ := strings.Cut(log, "section_start:")
			shown = shown[strings.LastIndex(shown[:strings.Index(shown, "GOT=")], "section_start:"):] // of the script
			contains(t, shown, test.log...)
			if strings.Contains(shown, "GOT=0") != (test.got == "0") {
				t.Errorf("the job has credentials, or not:\n%s", shown)
			}
		})
	}
	p.checkNothingLeft(t)
}
