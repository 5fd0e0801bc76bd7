package e2e_test

import (
	"strings"
	"testing"

	"rolecall/internal/state"
	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// leak is a job whose files hold what was issued to it.
type leak struct {
	script    string
	artifacts []coordinator.Artifact
	cache     []coordinator.Cache
	log       []string // what the author is told
}

func leaks() map[string]leak {
	// A session token of MinIO holds the access key id, in base64.
	archive := func(paths ...string) []coordinator.Artifact { return []coordinator.Artifact{{Paths: paths}} }
	return map[string]leak{
		"env in an artifact": {
			script: "env > env.txt", artifacts: archive("*.txt"),
			log: []string{`artifacts: "env.txt": ID token, access key id, secret access key, session token`, "artifacts:exclude"},
		},
		"untracked and encoded": {
			script:    `mkdir -p .hidden && printf 'x%s' "$AWS_SECRET_ACCESS_KEY" | base64 -w0 > .hidden/b64`,
			artifacts: []coordinator.Artifact{{Untracked: true}},
			log:       []string{`artifacts: ".hidden/b64": secret access key`},
		},
		"ignored by git, in an archive in an archive": {
			script:    `mkdir ignored && echo "$AWS_SESSION_TOKEN" > a.log && tar czf ignored/in.tgz a.log && rm a.log && tar cf ignored/out.tar -C ignored in.tgz && rm ignored/in.tgz`,
			artifacts: archive("ignored/"),
			log:       []string{`artifacts: "ignored/out.tar" > "in.tgz > a.log": access key id, session token`},
		},
		"the env file itself": {
			script: `cp "$ROLECALL_ENV_FILE" .`, cache: []coordinator.Cache{{Paths: []string{"."}}},
			log: []string{`cache default`, `".aws.alpha.env": access key id, secret access key, session token`},
		},
		"a dotenv report": {
			script: `echo "KEY=$AWS_ACCESS_KEY_ID" > build.env`, artifacts: []coordinator.Artifact{{Type: "dotenv", Paths: []string{"build.env"}}},
			log: []string{`report dotenv: "build.env": access key id`},
		},
		"a failed job's report": {
			script: `echo "$GITLAB_OIDC_TOKEN" > trace.log; exit 3`, artifacts: []coordinator.Artifact{{When: "on_failure", Paths: []string{"trace.log"}}},
			log: []string{`artifacts: "trace.log": ID token`},
		},
		"a raw report that is a link": {
			script: `ln -s "$ROLECALL_ENV_FILE" report.json`, artifacts: []coordinator.Artifact{{Type: "codequality", Format: "raw", Paths: []string{"report.json"}}},
			log: []string{`report codequality: "report.json": access key id, secret access key, session token`},
		},
	}
}

// TestGateStops runs jobs that leave secrets where the runner would upload them:
// nothing is uploaded, and the author learns what and where.
func TestGateStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	testGateStops(t, w)
	dirs := append(state.Roots(), w.runner.CacheDir)
	if _, found, err := lab.Search(w.recorder.Secrets(), dirs...); err != nil || len(found) > 0 {
		t.Errorf("secrets are in %v, %v", found, err)
	}
}

func testGateStops(t *testing.T, w *world) {
	runs := map[string]*coordinator.Run{}
	for name, l := range leaks() {
		job := w.job("alpha", l.script)
		job.Artifacts, job.Cache = l.artifacts, l.cache
		runs[name] = w.enqueue(sharedToken, job)
	}
	for name, run := range runs {
		if result := wait(t, run); result.FailureReason != "script_failure" {
			t.Errorf("%s: %+v", name, result)
		}
		contains(t, run.Text(), append(leaks()[name].log, "rolecall: error [RC108]: secrets are in what would be uploaded")...)
		if uploads := run.Artifacts(); len(uploads) > 0 {
			t.Errorf("%s: uploaded: %v", name, uploads)
		}
	}
}

// TestGateLetsThrough runs jobs that upload no secret, though there is one beside.
func TestGateLetsThrough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	testGateLetsThrough(t, w)
	// A job of no tenant has no secrets, and nobody looks.
	job := coordinator.Job{Script: []string{"echo fine > out.txt"}, Artifacts: []coordinator.Artifact{{Paths: []string{"out.txt"}}}}
	w.succeed(t, sharedToken, job)
}

func testGateLetsThrough(t *testing.T, w *world) {
	runs := map[string]*coordinator.Run{}
	for name, test := range harmless() {
		job := w.job("alpha", test.script)
		job.Artifacts = []coordinator.Artifact{test.artifact}
		job.Cache = []coordinator.Cache{{Paths: []string{"out.txt"}}}
		runs[name] = w.enqueue(sharedToken, job)
	}
	for name, run := range runs {
		want := harmless()[name].want
		if result := wait(t, run); result.State != "success" {
			t.Fatalf("%s: %+v; log:\n%s", name, result, run.Text())
		}
		uploads := run.Artifacts()
		if len(uploads) != 1 {
			t.Fatalf("%s: %d uploads", name, len(uploads))
		}
		if files, err := uploads[0].Files(); err != nil || files[want] == nil {
			t.Errorf("%s: uploaded %v, %v", name, files, err)
		}
		if broken := strings.Contains(run.Text(), "could not be unpacked"); broken != (want == "a.gz") {
			t.Errorf("%s: the log tells of what could not be unpacked: %v", name, broken)
		}
	}
}

// upload is a job that uploads no secret, and a file that it uploads.
type upload struct {
	script   string
	artifact coordinator.Artifact
	want     string
}

func harmless() map[string]upload {
	return map[string]upload{
		"no secret":                 {"echo fine > out.txt", coordinator.Artifact{Paths: []string{"out.txt"}}, "out.txt"},
		"excluded":                  {"mkdir d; env > d/env.txt; echo fine > d/out.txt", coordinator.Artifact{Paths: []string{"d/"}, Exclude: []string{"d/env.*"}}, "d/out.txt"},
		"a secret in another file":  {"env > env.txt; echo fine > out.txt", coordinator.Artifact{Paths: []string{"out.txt"}}, "out.txt"},
		"a link is kept as one":     {`ln -s "$ROLECALL_ENV_FILE" link; echo fine > out.txt`, coordinator.Artifact{Paths: []string{"link", "out.txt"}}, "out.txt"},
		"an archive that is broken": {`seq 1000 | gzip | head -c 99 > a.gz`, coordinator.Artifact{Paths: []string{"a.gz"}}, "a.gz"},
	}
}
