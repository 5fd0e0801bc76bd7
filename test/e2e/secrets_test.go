package e2e_test

import (
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
)

// TestSecondToken: an ID token that is not the one for AWS is a secret of its job as
// well, with a tenant or without. It is neither printed nor uploaded.
func TestSecondToken(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	testSecondToken(t, newWorld(t))
}

func testSecondToken(t *testing.T, w *world) {
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

// newWorldOfAWS starts a world whose STS gives credentials in the form of AWS's.
func newWorldOfAWS(t *testing.T) *world {
	t.Helper()
	sts, err := fakests.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sts.Close)
	w := &world{gitlab: startGitLab(t)}
	w.start(t, sts.URL())
	return w
}

// awsCLI is a line of a script that stands in for AWS's program: it prints new keys.
const awsCLI = `aws() { [ "$1" != sts ] || [ "$2" = get-caller-identity ] || printf '%s %s %s\n' ASIA$(tr -dc A-Z2-7 < /dev/urandom | head -c 16) ` +
	`aB$(tr -dc A-Za-z0-9/+ < /dev/urandom | head -c 38) IQoJb3JpZ2luX2Vj$(tr -dc A-Za-z0-9/+ < /dev/urandom | head -c 400)==; }`

// TestArticle: pipelines that pass credentials from job to job in an artifact, as they are
// found on the web, are stopped, and after what the log says they work.
func TestArticle(t *testing.T) {
	t.Parallel()
	w := newWorldOfAWS(t)
	testArticle(t, w)
	deploy := w.job("alpha", awsCLI, "aws sts get-caller-identity", `echo "key ${AWS_ACCESS_KEY_ID:0:4}, token $AWS_SESSION_TOKEN."`)
	contains(t, w.succeed(t, sharedToken, deploy), "key ASIA, token [MASKED].")
}

// testArticle runs the first job of such a pipeline, whose shell must be bash.
func testArticle(t *testing.T, w *world) {
	job := w.job("alpha", awsCLI, "aws --version",
		`STS=($(aws sts assume-role-with-web-identity --role-arn ${ROLE_ARN} --role-session-name "GitLabRunner-${CI_PROJECT_ID}-${CI_PIPELINE_ID}" --web-identity-token ${GITLAB_OIDC_TOKEN} --duration-seconds 3600 --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text))`,
		`echo "AWS_ACCESS_KEY_ID=${STS[0]}" >> .aws.$TENANT.env`,
		`echo "AWS_SECRET_ACCESS_KEY=${STS[1]}" >> .aws.$TENANT.env`,
		`echo "AWS_SESSION_TOKEN=${STS[2]}" >> .aws.$TENANT.env`)
	job.Name, job.Artifacts = "get-aws-credentials: [alpha]", []coordinator.Artifact{{Paths: []string{".aws.$TENANT.env"}}}
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.FailureReason != "script_failure" {
		t.Errorf("%+v", result)
	}
	if uploads := run.Artifacts(); len(uploads) > 0 {
		t.Errorf("uploaded: %v", uploads)
	}
	contains(t, run.Text(), "secrets are in what would be uploaded, and nothing is", `artifacts: ".aws.alpha.env": AWS access key, line 1`,
		`Remove the job that writes`, `".aws.alpha.env", the artifact, and the lines of other jobs that read it.`,
		`variables: {TENANT: "alpha"}`, `id_tokens: {GITLAB_OIDC_TOKEN: {aud: "https://alpha.example"}}`, `script: [aws sts get-caller-identity]`)
}

// TestOwnKeys: keys that a job gets itself are uploaded with a warning, with a tenant or
// without.
func TestOwnKeys(t *testing.T) { //nolint:tparallel // one job after another, as each is counted
	t.Parallel()
	testOwnKeys(t, newWorldOfAWS(t))
}

func testOwnKeys(t *testing.T, w *world) {
	for _, tenant := range []string{"alpha", ""} {
		t.Run("tenant "+tenant, func(t *testing.T) {
			job := w.job("alpha", awsCLI, "echo first; set -- $(aws sts assume-role)", `printf '\n%s %s\n' $1 $2 > chained.txt`)
			job.Artifacts = []coordinator.Artifact{{Paths: []string{"*.txt"}}}
			if tenant == "" {
				job.Variables = nil
			}
			run := w.enqueue(sharedToken, job)
			if result := wait(t, run); result.State != "success" || len(run.Artifacts()) != 1 {
				t.Errorf("%+v with %d uploads", result, len(run.Artifacts()))
			}
			contains(t, run.Text(), "AWS keys that rolecall has not issued are in what is uploaded", `artifacts: "chained.txt": AWS access key, line 2`)
		})
	}
}

// TestLeftCredentials: what a job left in the clone is not uploaded by the next one, whose
// GIT_STRATEGY is none, while the keys are valid: of the same tenant, or of none. A refused
// file is gone for the job after that.
func TestLeftCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	testLeftCredentials(t, w, "alpha")
	testLeftCredentials(t, w, "")
}

// testLeftCredentials runs a job that leaves its credentials, and the next one, of that tenant.
func testLeftCredentials(t *testing.T, w *world, tenant string) {
	w.settle(t)
	w.succeed(t, sharedToken, w.job("alpha", "test ! -e debug.env", "env | grep ^AWS_ > debug.env"))
	job := w.job("alpha", "ls -a", "test -s debug.env")
	if tenant == "" {
		job.Variables, job.IDTokens = nil, nil
	}
	job.Variables = append(job.Variables, coordinator.Variable{Key: "GIT_STRATEGY", Value: "none"})
	job.Artifacts = []coordinator.Artifact{{Paths: []string{"*.env"}}}
	w.settle(t)
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("tenant %q: %+v with %d uploads", tenant, result, len(run.Artifacts()))
	}
	contains(t, run.Text(), "secrets are in what would be uploaded, and nothing is",
		`artifacts: "debug.env": access key id of job `, ", secret access key of job ", ", session token of job ", `GIT_STRATEGY is "none"`)
	checkUploads(t, run, w.recorder.Secrets())
}

// TestLeftToken: an ID token that a job left in the clone, with a tenant or without, is not
// uploaded by the next one while it is valid.
func TestLeftToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	testLeftToken(t, w, "alpha")
	testLeftToken(t, w, "")
}

// testLeftToken runs a job of that tenant that leaves an ID token, and one of none.
func testLeftToken(t *testing.T, w *world, tenant string) {
	first := w.job("alpha", "test ! -e left.jwt", "echo $MY_OIDC_TOKEN > left.jwt")
	if first.IDTokens["MY_OIDC_TOKEN"] = "https://vault.example.com"; tenant == "" {
		first.Variables = nil
	}
	w.settle(t)
	w.succeed(t, sharedToken, first)
	job := w.job("alpha", "test -s left.jwt")
	job.Variables = []coordinator.Variable{{Key: "GIT_STRATEGY", Value: "none"}}
	if job.Artifacts = []coordinator.Artifact{{Paths: []string{"*.jwt"}}}; w.dress == nil { // no policy file wants it
		job.IDTokens = nil
	}
	w.settle(t)
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("tenant %q: %+v with %d uploads", tenant, result, len(run.Artifacts()))
	}
	contains(t, run.Text(), `artifacts: "left.jwt": ID token of job `)
}
