package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// apiKey is the secret of a source of values.
const apiKey = "a-key-of-an-api-that-nobody-may-see"

// values are sources with configuration of alpha's jobs by environment.
func (p *policyWorld) values(t *testing.T) string {
	t.Helper()
	file := filepath.Join(p.dir, "api-key")
	kit.Must(t, os.WriteFile(file, []byte(apiKey+"\n"), 0o600))
	return fmt.Sprintf(`[[tenant.source]]
name = "every"
provider = "static"
env = { APP_NAME = "the app", APP_PORT = "8080" }
secret_files = { API_KEY = %q }
[[tenant.source]]
name = "prod"
provider = "static"
environments = ["alpha"]
env = { APP_URL = "https://prod.example.com" }
[[tenant.source]]
name = "dev"
provider = "static"
environments = ["dev"]
env = { APP_URL = "https://dev.example.com" }
`, file)
}

// fail runs a job to its failure and returns its log.
func (w *world) fail(t *testing.T, token string, job coordinator.Job) string {
	t.Helper()
	run := w.enqueue(token, job)
	if result := wait(t, run); result.State != "failed" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	return run.Text()
}

// TestValues: a job has the values of its tenant and its environment, beside its credentials. A
// value of a file is masked and is in no upload; one that readers of env files read differently
// is in the environment alone. A variable of the job does not win over a value.
func TestValues(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serveAs(t, "", p.values(t))
	job := p.alpha(p.s3("put alpha key text"), `echo "$APP_NAME at $APP_URL:$APP_PORT with $API_KEY"`, `cut -d= -f1 "$ROLECALL_ENV_FILE" | xargs`, `(unset API_KEY; . "$ROLECALL_ENV_FILE"; [ ${#API_KEY} = 35 ] && echo read)`)
	job.Environment = "alpha"
	log := p.succeed(t, sharedToken, job)
	contains(t, log, "the app at https://prod.example.com:8080 with [MASKED]", "AWS_DEFAULT_REGION APP_PORT API_KEY APP_URL", "\nread\n", "Not in the env file, but in the environment of scripts: APP_NAME.", "STATIC: tenant alpha, credentials prod")
	if strings.Contains(log, "credentials dev") {
		t.Errorf("the values of another environment:\n%s", log)
	}
	job.Script = []string{`echo "$API_KEY" > key.txt`}
	job.Artifacts = []coordinator.Artifact{{Name: "out", Paths: []string{"key.txt"}}}
	contains(t, p.fail(t, sharedToken, job), "value of API_KEY", "RC108")
	job.Artifacts = nil
	job.Variables = append(job.Variables, coordinator.Variable{Key: "APP_URL", Value: "https://evil.example.com"})
	contains(t, p.fail(t, sharedToken, job), "RC106", "APP_URL")
	p.checkLines(t)
}
