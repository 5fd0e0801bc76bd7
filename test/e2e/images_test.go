package e2e_test

import (
	"strings"
	"testing"

	"rolecall/test/coordinator"
)

// TestImagesRefused: what GitLab Runner passes on of image: and services: is judged by the
// rules of the tenant, whatever variables of the job say. A refused job asks STS for nothing.
func TestImagesRefused(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	p := newPolicyWorld(t)
	text := strings.Replace(p.policyText(), "[[tenant]]", "[containers]\nengine = \"podman\"\n[[tenant]]", 1)
	p.write(t, strings.Replace(text, `name = "alpha"`, "name = \"alpha\"\nimages = [\"docker.io/library/alpine:*\"]\nservices = [\"docker.io/library/postgres:*\"]", 1))
	p.succeed(t, sharedToken, p.alpha("true")) // a job without an image runs on the host
	issued := len(p.recorder.Issued())
	type object = map[string]any
	docker := func(options object) object {
		return object{"name": "alpine:$VERSION", "executor_opts": object{"docker": options}}
	}
	for name, test := range map[string]struct {
		image    object
		services []any
		code     string
		rule     string
		log      []string
	}{
		"an image":                     {object{"name": "evil.org/x:1"}, nil, "RC112", "images", []string{"evil.org/x:1 is not among the images", "docker.io/library/alpine:*"}},
		"an image of a variable":       {object{"name": "$EVIL"}, nil, "RC112", "images", []string{"evil.org/x:latest is not among the images"}},
		"an option":                    {object{"name": "--privileged"}, nil, "RC111", "", []string{"this is not the name of an image", `"--privileged"`}},
		"root, of a variable":          {docker(object{"user": "$ROOT"}), nil, "RC112", "image_users", []string{`"0" of docker.io/library/alpine:3 is not among the image_users`}},
		"root, as a number":            {docker(object{"user": 0}), nil, "RC112", "image_users", []string{`"0" of docker.io/library/alpine:3`}},
		"a platform":                   {docker(object{"platform": "--x"}), nil, "RC111", "", []string{`docker:platform "--x"`}},
		"a pull policy":                {object{"name": "alpine", "pull_policy": []string{"always", "never"}}, nil, "RC112", "pull_policies", []string{`"never" of docker.io/library/alpine:latest`}},
		"a service":                    {object{"name": "alpine"}, []any{object{"name": "postgres:16"}, object{"name": "redis", "alias": "db"}}, "RC112", "services", []string{"docker.io/library/redis:latest is not among the services"}},
		"a service that has the token": {object{"name": "alpine"}, []any{object{"name": "postgres", "variables": []any{object{"key": "T", "value": "$GITLAB_OIDC_TOKEN"}}}}, "RC111", "", []string{"T holds an ID token of the job"}},
		"services alone":               {nil, []any{object{"name": "postgres"}}, "RC111", "", []string{"the job has services and no image"}},
		"what is allowed, and no user": {docker(object{"platform": "linux/amd64"}), []any{object{"name": "postgres"}}, "RC316", "", []string{"this job has no unix user"}},
	} {
		t.Run(name, func(t *testing.T) {
			job := p.alpha("echo THE SCRIPT RUNS")
			for name, value := range map[string]string{"EVIL": "evil.org/x", "ROOT": "0", "VERSION": "3", "CI_JOB_IMAGE": "alpine:3"} {
				job.Variables = append(job.Variables, coordinator.Variable{Key: name, Value: value})
			}
			job.Mutate = func(sent map[string]any) { sent["image"], sent["services"] = test.image, test.services }
			run := p.enqueue(sharedToken, job)
			if result := wait(t, run); result.FailureReason != "script_failure" {
				t.Errorf("%+v", result)
			}
			contains(t, run.Text(), append(test.log, "· "+test.code)...)
			if strings.Contains(run.Text(), "THE SCRIPT RUNS") || len(p.recorder.Issued()) != issued {
				t.Errorf("the script ran, or STS was asked; log:\n%s", run.Text())
			}
			events := p.events(t, run)
			if len(events) != 1 || events[0]["allowed"] != false || test.rule != "" && (events[0]["rule"] != test.rule || events[0]["image"] == nil) {
				t.Errorf("audit log: %v, want one refusal by rule %q", events, test.rule)
			}
		})
	}
	p.checkNothingLeft(t)
}
