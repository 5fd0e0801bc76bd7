package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// The tests of this file hold what docs/limits.md says, a test for each row.

// TestLimitOfVariables: Linux takes 131,072 bytes for a variable of the environment, with
// its name and what ends it, which testLongVariable tries. One byte more, and no program of
// the driver can start.
func TestLimitOfVariables(t *testing.T) {
	t.Parallel()
	p := newPolicyWorld(t)
	job := p.alpha("true")
	variables := job.Variables
	for _, file := range []bool{false, true} {
		p.settle(t)
		job.Variables = append(variables, coordinator.Variable{Key: "BIG", Value: strings.Repeat("a", most+1), File: file})
		run := p.enqueue(sharedToken, job)
		if result := wait(t, run); result.FailureReason != "runner_system_failure" || strings.Contains(run.Text(), "rolecall") {
			t.Errorf("%+v; log:\n%s", result, run.Text())
		}
		contains(t, run.Text(), "/config: argument list too long")
	}
}

// most is the length of the longest variable with the name BIG.
const most = 131072 - len("CUSTOM_ENV_BIG=") - len("\x00")

func testLongVariable(t *testing.T, w *world) {
	job := w.job("alpha", `echo "it has ${#BIG} bytes"`)
	job.Variables = append(job.Variables, coordinator.Variable{Key: "BIG", Value: strings.Repeat("a", most)})
	contains(t, w.succeed(t, sharedToken, job), "it has 131056 bytes")
}

// TestLimitOfLocalCaches: a job has only the local caches of its own tenant and trust class.
func TestLimitOfLocalCaches(t *testing.T) {
	t.Parallel()
	p := newPolicyWorld(t)
	repo, err := coordinator.NewRepo(t.TempDir(), map[string]string{"README.md": "hello\n"})
	kit.Must(t, err)
	p.gitlab.Host("acme/lint", repo)
	none, beta, protected := coordinator.Job{}, p.beta(), p.beta()
	protected.Protected = true
	for _, step := range []struct {
		who  string
		job  coordinator.Job
		sees string
	}{
		{"none", none, "nobody"},
		{"none", none, "none"},
		{"beta", beta, "nobody"},
		{"beta", beta, "beta"},
		{"none", none, "none"},
		{"protected", protected, "nobody"},
		{"protected", protected, "protected"},
		{"beta", beta, "beta"},
	} {
		step.job.Project = coordinator.Project{ID: 43, Path: "acme/lint"}
		step.job.Script = []string{`echo "cached by $(cat kept.txt 2>/dev/null || echo nobody)"`, "echo " + step.who + " > kept.txt"}
		step.job.Cache = []coordinator.Cache{{Key: "same", Paths: []string{"kept.txt"}}}
		log := p.succeed(t, sharedToken, step.job)
		contains(t, log, "\ncached by "+step.sees+"\n")
		p.settle(t)
	}
}

// TestLimitOfPresignedURLs: a presigned URL has what is masked and is not uploaded. Where it
// was signed it works.
func TestLimitOfPresignedURLs(t *testing.T) {
	t.Parallel()
	p := newPolicyWorld(t)
	p.dress = func(job coordinator.Job) coordinator.Job { job.Protected = true; return job }
	testPresigned(t, p.world)
	p.settle(t)
	p.checkNothingLeft(t)
}

func testPresigned(t *testing.T, w *world) {
	job := w.job("alpha", w.s3("put alpha signed the-object"), "URL=$("+w.s3("presign alpha signed")+")",
		`if command -v curl > /dev/null; then curl -fsS "$URL"; else wget -q -O - "$URL"; fi`, `echo; echo "url $URL"`, `echo "$URL" > url.txt`)
	job.Artifacts = []coordinator.Artifact{{Paths: []string{"url.txt"}}}
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("%+v, %d uploads", result, len(run.Artifacts()))
	}
	contains(t, run.Text(), "the-object\n", "X-Amz-Credential=[MASKED]", "X-Amz-Security-Token=[MASKED]",
		`artifacts: "url.txt": access key id, session token`, "rolecall: error [RC108]")
}

// TestLimitOfOutput: past the output_limit of the runner nothing of a refused upload is in
// the job log. The job fails, and the audit log has the refusal.
func TestLimitOfOutput(t *testing.T) {
	t.Parallel()
	p := newPolicyWorldIn(t, t.TempDir(), "output_limit = 20")
	job := p.alpha(`env > env.txt`, `head -c 40000 /dev/zero | tr '\0' x | fold -w 80`)
	job.Artifacts = []coordinator.Artifact{{Paths: []string{"env.txt"}}}
	run := p.enqueue(sharedToken, job)
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("%+v, %d uploads", result, len(run.Artifacts()))
	}
	contains(t, run.Text(), "Job's log exceeded limit of 20480 bytes.")
	if strings.Contains(run.Text(), "RC108") {
		t.Errorf("the job log has the refusal:\n%s", run.Text())
	}
	p.awaitKinds(t, run, "decision issued upload_refused ended")
	for _, event := range p.events(t, run) {
		if event["event"] == "upload_refused" && event["code"] != "RC108" {
			t.Errorf("%v", event)
		}
	}
}

// TestLimitOfBlanks: with a blank in builds_dir jobs work as with none, but the runner's own
// script that saves a cache does not.
func TestLimitOfBlanks(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "of an admin")
	kit.Must(t, os.Mkdir(dir, 0o700))
	p := newPolicyWorldIn(t, dir, "")
	job := p.alpha("pwd", "cat README.md", "echo fine > out.txt", `(. "$ROLECALL_ENV_FILE" && `+p.s3("put alpha key text")+`)`)
	job.Artifacts = []coordinator.Artifact{{Paths: []string{"out.txt"}}}
	run := p.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "success" || len(run.Artifacts()) != 1 {
		t.Errorf("%+v, %d uploads; log:\n%s", result, len(run.Artifacts()), run.Text())
	}
	contains(t, run.Text(), "/of an admin/builds/alpha/protected/", "\nhello\n")
	p.settle(t)
	job.Cache = []coordinator.Cache{{Paths: []string{"out.txt"}}}
	run = p.enqueue(sharedToken, job)
	if result := wait(t, run); result.FailureReason != "script_failure" {
		t.Errorf("with a cache: %+v", result)
	}
	contains(t, run.Text(), "gitlab_runner_cache_env: No such file or directory")
	p.settle(t)
	p.checkNothingLeft(t)
}
