package e2e_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/test/coordinator"
)

// everywhere are tests of what holds for jobs on the host and for jobs in images.
func everywhere() map[string]func(*testing.T, *world) {
	return map[string]func(*testing.T, *world){
		"matrix":                 testMatrix,
		"stages":                 testStages,
		"scripts of the runner":  testRunnerScripts,
		"git strategies":         testGitStrategies,
		"submodules":             testSubmodules,
		"artifacts and caches":   testUploads,
		"file variables":         testFileVariables,
		"a long variable":        testLongVariable,
		"GITLAB_ENV":             testGitLabEnv,
		"script that is killed":  testKilled,
		"cancel":                 testCancel,
		"abort":                  testAbort,
		"timeout":                testTimeout,
		"after_script too long":  testAfterTimeout,
		"masked":                 testMasked,
		"masked in other forms":  testForms,
		"traced":                 testTraced,
		"presigned URL":          testPresigned,
		"directories":            testDirectories,
		"an identity of its own": testOwnIdentity,
	}
}

// TestJobs runs the jobs that credentials are issued to, at the same time, and
// then looks for what they left.
func TestJobs(t *testing.T) { //nolint:tparallel // the jobs must be over before what they left is looked for
	t.Parallel()
	w := newWorld(t)
	tests := everywhere()
	maps.Copy(tests, map[string]func(*testing.T, *world){
		"pinned tenant":     testPinned,
		"as on the shell":   testAsOnTheShell,
		"every exit code":   testExitCodes,
		"spoofed variables": testSpoofed,
	})
	t.Run("at once", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, w)
			})
		}
	})
	w.checkNothingLeft(t)
}

// testMatrix is the article's pipeline without its artifact: two tenants at once,
// each of which can write to its own bucket and not to the other's.
func testMatrix(t *testing.T, w *world) {
	runs := map[string]*coordinator.Run{}
	others := map[string]string{"alpha": "beta", "beta": "alpha"}
	for tenant, other := range others {
		runs[tenant] = w.enqueue(sharedToken, w.job(tenant,
			w.s3("put "+tenant+" who-$CI_JOB_ID i-am-"+tenant),
			w.s3("get "+tenant+" who-$CI_JOB_ID"),
			"if "+w.s3("put "+other+" x y")+"; then exit 1; fi",
			"sleep 2"))
	}
	for tenant, run := range runs {
		if result := wait(t, run); result.State != "success" {
			t.Errorf("%s: %+v", tenant, result)
		}
		contains(t, run.Text(), "i-am-"+tenant, "AccessDenied",
			"AWS credentials of tenant "+tenant,
			"role:     "+w.minio.RoleARN(tenant),
			fmt.Sprintf("session:  GitLabRunner-42-%d-%d", run.ID()+100000, run.ID()))
	}
}

func testPinned(t *testing.T, w *world) {
	job := w.job("alpha", w.s3("put alpha pinned yes"))
	job.Variables = job.Variables[1:] // no TENANT
	w.succeed(t, alphaToken, job)

	run := w.enqueue(alphaToken, w.job("beta", "true"))
	if result := wait(t, run); result.FailureReason != "script_failure" {
		t.Errorf("%+v", result)
	}
	contains(t, run.Text(), `the job asks for tenant "beta", this runner serves tenant "alpha" only`)
}

// testAsOnTheShell compares what a job without a tenant sees with what it sees on
// the shell executor, which does not say who the user is if the service does not.
func testAsOnTheShell(t *testing.T, w *world) {
	script := []string{
		"echo BEGIN", "env | grep -vE '^(USER|LOGNAME|SHELL)=' | sort", "pwd", "umask", "id", `echo "$0 $-"`, "shopt -p", "ulimit -a",
		"ls -A", "git status --short", "cat", "echo END",
	}
	job := coordinator.Job{Project: coordinator.Project{ID: 42, Path: "acme/deploy"}, PipelineID: 7, Script: script}
	var seen []string
	for _, token := range []string{shellToken, plainToken} {
		log := w.succeed(t, token, job)
		_, log, _ = strings.Cut(log, "\nBEGIN\n")
		log, _, found := strings.Cut(log, "\nEND\n")
		if !found {
			t.Fatal("the script's output is not in the log")
		}
		seen = append(seen, neutral(log))
	}
	if diff := cmp.Diff(seen[0], seen[1]); diff != "" {
		t.Errorf("a job without a tenant sees (-shell executor, +rolecall):\n%s", diff)
	}
}

// neutral takes out of a script's output what differs between any two jobs, and
// what the service itself has of AWS.
func neutral(log string) string {
	var lines []string
	for line := range strings.Lines(log) {
		if regexp.MustCompile(`^(AWS_|CI_(JOB|RUNNER|CONCURRENT|SERVER_TLS|DEPENDENCY|REGISTRY|REPOSITORY|BUILD)|GITLAB_(ENV|USER)|OLDPWD=|SHLVL=|_=|TMPDIR=|RUNNER_TEMP)`).MatchString(line) {
			continue
		}
		line = regexp.MustCompile(`(shell|plain)0000?|(shell|plain)`).ReplaceAllString(line, "TOKEN")
		lines = append(lines, regexp.MustCompile(`TOKEN(/|\d+)+`).ReplaceAllString(line, "TOKEN/"))
	}
	return strings.Join(lines, "")
}

// testStages shows who has credentials: the user's own scripts, and no hook that
// runs in a stage of the runner's.
func testStages(t *testing.T, w *world) {
	job := w.job("alpha", w.s3("put alpha stage script"), `echo "script has ${AWS_ACCESS_KEY_ID:+keys}"`)
	job.Steps = []coordinator.Step{{Name: "release", Script: []string{w.s3("put alpha stage release"), "env | grep -q ^AWS_ACCESS_KEY_ID=", "echo release has keys"}}}
	job.AfterScript = []string{w.s3("put alpha stage after"), `echo "after has ${AWS_ACCESS_KEY_ID:+keys}, metadata off: $AWS_EC2_METADATA_DISABLED"`}
	job.Hooks = map[string][]string{"pre_get_sources_script": {`echo "hook has ${AWS_ACCESS_KEY_ID:-none}, ${ROLECALL_ENV_FILE:-none}"`}}
	contains(t, w.succeed(t, sharedToken, job),
		"\nscript has keys", "\nrelease has keys", "\nafter has keys, metadata off: true", "\nhook has none, none")
}

// testGitStrategies shows that the env file outlives every way of getting sources
// and is no part of the work tree.
func testGitStrategies(t *testing.T, w *world) {
	for _, strategy := range []string{"clone", "fetch", "fetch", "none", "empty"} {
		for _, flags := range []string{"", "none", "-ffdx -e nothing"} {
			job := w.job("alpha",
				`unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN`,
				`set -a; . "$ROLECALL_ENV_FILE"`,
				w.s3("put alpha strategy "+strategy),
				`case "$ROLECALL_ENV_FILE" in "$CI_PROJECT_DIR"/*) exit 1;; esac`,
				`[ -r "$ROLECALL_ENV_FILE" ] && [ ! -w "$ROLECALL_ENV_FILE" ] && [ ! -w "$(dirname "$ROLECALL_ENV_FILE")" ]`,
				`! command -v git > /dev/null || [ ! -d .git ] || ! git status --porcelain --ignored | grep -e rolecall -e aws`, // a job before may have left other files
				`! find "$CI_PROJECT_DIR" -name '.aws*' | grep .`)
			job.Variables = append(job.Variables,
				coordinator.Variable{Key: "GIT_STRATEGY", Value: strategy},
				coordinator.Variable{Key: "GIT_CLEAN_FLAGS", Value: flags})
			w.succeed(t, sharedToken, job)
		}
	}
}

// testUploads shows that the widest artifacts and caches do not catch the env
// file.
func testUploads(t *testing.T, w *world) {
	job := w.job("alpha", "mkdir -p ignored && touch ignored/f new", `echo V=1 > report.env`)
	job.AfterScript = []string{w.s3("put alpha after upload")}
	job.Artifacts = []coordinator.Artifact{
		{Paths: []string{".", "**/*", "../**/*"}, Untracked: true, When: "always"},
		{Type: "dotenv", Paths: []string{"report.env"}},
	}
	job.Cache = []coordinator.Cache{{Key: "wide", Paths: []string{".", "../deploy.tmp"}, Untracked: true}}
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	uploads := run.Artifacts()
	if len(uploads) != 2 {
		t.Fatalf("%d uploads, want 2; log:\n%s", len(uploads), run.Text())
	}
	files, err := uploads[0].Files()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := files["new"]; !ok {
		t.Errorf("the artifact lacks the job's own file: %v", files)
	}
	for name := range files {
		if strings.Contains(name, ".aws") || strings.Contains(name, "rolecall") {
			t.Errorf("the artifact holds %s", name)
		}
	}
	contains(t, run.Text(), "Created cache")
}

func testFileVariables(t *testing.T, w *world) {
	job := w.job("alpha", `[ "$(cat "$SETTINGS")" = "a: b" ]`, w.s3("put alpha file variable"), `echo "and $MULTI" | wc -l`)
	job.Variables = append(job.Variables,
		coordinator.Variable{Key: "SETTINGS", Value: "a: b", File: true},
		coordinator.Variable{Key: "MULTI", Value: "1\n2\nCUSTOM_ENV_TENANT=beta\nROLE_ARN=x"})
	contains(t, w.succeed(t, sharedToken, job), "AWS credentials of tenant alpha", "\n4\n")
}

// testGitLabEnv shows that after_script gets what a script writes for it, and that it is masked.
func testGitLabEnv(t *testing.T, w *world) {
	job := w.job("alpha", `echo "GREETING=from the script" >> "$GITLAB_ENV"`, `echo "COPY=$AWS_SECRET_ACCESS_KEY" >> "$GITLAB_ENV"`)
	job.AfterScript = []string{`echo "after: $GREETING, $COPY."`}
	contains(t, w.succeed(t, sharedToken, job), "\nafter: from the script, [MASKED].")
}

// testSpoofed sets what an author can set and shows that it aims nothing.
func testSpoofed(t *testing.T, w *world) {
	job := w.job("alpha", w.s3("put alpha spoofed yes"), `echo "file: $ROLECALL_ENV_FILE"`)
	job.Variables = append(job.Variables,
		coordinator.Variable{Key: "CI_PROJECT_DIR", Value: "/etc"}, coordinator.Variable{Key: "CI_BUILDS_DIR", Value: "/etc"},
		coordinator.Variable{Key: "CI_JOB_ID", Value: "1"}, coordinator.Variable{Key: "CI_PROJECT_ID", Value: "1"},
		coordinator.Variable{Key: "CI_PIPELINE_ID", Value: "1"}, coordinator.Variable{Key: "ROLECALL_STORE", Value: "/etc"},
		coordinator.Variable{Key: "JOB_RESPONSE_FILE", Value: "/etc/passwd"}, coordinator.Variable{Key: "PATH_EXTRA", Value: "/etc"})
	run := w.enqueue(plainToken, job)
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), fmt.Sprintf("session:  GitLabRunner-42-%d-%d", run.ID()+100000, run.ID()),
		"file: "+w.runner.BuildsDir, fmt.Sprintf("/rolecall-%d/.aws.alpha.env", run.ID()))
}

// testDirectories shows that jobs of one project that run at once share no
// directory.
func testDirectories(t *testing.T, w *world) {
	var runs []*coordinator.Run
	for range 3 {
		runs = append(runs, w.enqueue(sharedToken, w.job("beta",
			`mkdir alone || exit 9`, `sleep 1`, `rmdir alone`)))
	}
	for _, run := range runs {
		if result := wait(t, run); result.State != "success" {
			t.Errorf("%+v; log:\n%s", result, run.Text())
		}
	}
}

// untilLog waits until a job's script is under way.
func untilLog(t *testing.T, run *coordinator.Run, text string) {
	t.Helper()
	if err := run.WaitLog(t.Context(), text); err != nil {
		t.Fatalf("%v; log:\n%s", err, run.Text())
	}
}

// ticking is a script that says so every tenth of a second: the runner learns of
// a cancel when it sends a piece of the log.
func ticking() []string { return []string{"echo started", "while sleep 0.1; do echo tick; done"} }

func testCancel(t *testing.T, w *world) {
	job := w.job("alpha", append([]string{"(trap '' TERM; sleep 654321) &"}, ticking()...)...)
	job.AfterScript = []string{w.s3("put alpha after cancel"), "echo after is done"}
	run := w.enqueue(sharedToken, job)
	untilLog(t, run, "tick")
	run.Cancel()
	if result := wait(t, run); result.State != "canceled" {
		t.Errorf("%+v", result)
	}
	contains(t, run.Text(), "after is done")
}

// testAbort cancels by force: nothing but clean-up runs then.
func testAbort(t *testing.T, w *world) {
	job := w.job("beta", ticking()...)
	job.AfterScript = []string{"echo after is done"}
	run := w.enqueue(sharedToken, job)
	untilLog(t, run, "tick")
	run.Abort()
	if result := wait(t, run); result.State != "canceled" {
		t.Errorf("%+v", result)
	}
	if strings.Contains(run.Text(), "after is done") {
		t.Error("after_script ran")
	}
}

func testTimeout(t *testing.T, w *world) {
	job := w.job("alpha", ticking()...)
	job.Timeout = 4 * time.Second
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "failed" || result.FailureReason != "job_execution_timeout" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
}
