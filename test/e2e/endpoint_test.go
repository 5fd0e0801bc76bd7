package e2e_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// renewing are the settings of a tenant whose sessions are renewed about every ten seconds.
const renewing = "delivery = \"endpoint\"\nduration = \"15m\"\nrenew_before = \"14m50s\"\n"

// serve lets the credentials of alpha come from an endpoint, and adds sources.
func (p *policyWorld) serve(t *testing.T, sources string) {
	t.Helper()
	p.serveAs(t, renewing, sources)
}

// serveAs gives alpha settings and sources.
func (p *policyWorld) serveAs(t *testing.T, settings, sources string) {
	t.Helper()
	text, err := os.ReadFile(p.policy)
	kit.Must(t, err)
	const audience, beta = "audience = \"https://alpha.example\"\n", "[[tenant]]\nname = \"beta\""
	p.write(t, strings.NewReplacer(audience, audience+settings, beta, sources+beta).Replace(string(text)))
}

// keysOf returns the hashes of keys that s3job has printed in a log, without repeats.
func keysOf(log string) []string {
	var keys []string
	for line := range strings.Lines(log) {
		if key, ok := strings.CutPrefix(line, "key "); ok && !contained(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// contained reports whether a text is among others.
func contained(texts []string, text string) bool {
	for _, one := range texts {
		if one == text {
			return true
		}
	}
	return false
}

// TestRenewal: one process works with credentials that are renewed under it. What was renewed
// is masked, and is in no upload; the next script begins with it.
func TestRenewal(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serve(t, "")
	job := p.alpha(
		p.s3("put alpha key text"),
		p.s3("watch alpha 28"),
		`env | grep -c AWS_ACCESS_KEY_ID || true`,
		`curl -s -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI"`,
		`(export $(cat "$ROLECALL_ENV_FILE" | xargs); `+p.s3("get alpha key")+`)`,
		`(unset AWS_CONTAINER_CREDENTIALS_FULL_URI; set -a; . "$ROLECALL_ENV_FILE"; `+p.s3("get alpha key")+`)`,
	)
	job.AfterScript = []string{p.s3("watch alpha 1")}
	log := p.succeed(t, sharedToken, job)
	keys := keysOf(log)
	if len(keys) < 3 {
		t.Errorf("%d keys, want at least two renewals:\n%s", len(keys), log)
	}
	contains(t, log, "renewed while the job runs", `"AccessKeyId":"[MASKED]"`, "\n0\n")
	if n := strings.Count(log, "\ntext"); n != 2 {
		t.Errorf("the object was read %d times by the env file, want 2:\n%s", n, log)
	}
	if issued := len(p.recorder.Secrets()); issued < 9 {
		t.Errorf("%d secrets were issued", issued)
	}
	checkRenewed(t, p, 2)
	p.settle(t)
	p.checkNothingLeft(t)
}

// checkRenewed fails the test unless the audit log has so many renewals at least, each with
// its key.
func checkRenewed(t *testing.T, p *policyWorld, want int) {
	t.Helper()
	keys := map[string]bool{}
	for _, event := range p.events(t, p.runs[0]) {
		if event["event"] == "renewed" {
			keys[fmt.Sprint(event["access_key_id"])] = true
		}
	}
	if len(keys) < want {
		t.Errorf("%d renewals in the audit log, want %d", len(keys), want)
	}
}

// TestRenewedNotUploaded: the gate knows what was renewed while a script ran.
func TestRenewedNotUploaded(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serve(t, "")
	job := p.alpha("sleep 12", `curl -s -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI" > answer.json`)
	job.Artifacts = []coordinator.Artifact{{Paths: []string{"answer.json"}}}
	run := p.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "failed" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), "secrets are in what would be uploaded")
	checkRenewed(t, p, 1)
	p.settle(t)
	p.checkNothingLeft(t)
}

// TestWhoAsks: a process of another user gets nothing, and when the job has ended nothing
// listens.
func TestWhoAsks(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serve(t, "")
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o777))
	ask := `curl -s -o /dev/null -w '%{http_code} ' -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" "$AWS_CONTAINER_CREDENTIALS_FULL_URI"`
	job := p.alpha(`printf 'URL=%s\nTOKEN=%s\n' "$AWS_CONTAINER_CREDENTIALS_FULL_URI" "$AWS_CONTAINER_AUTHORIZATION_TOKEN" > `+dir+`/new; chmod 0644 `+dir+`/new; mv `+dir+`/new `+dir+`/where`,
		ask, "while [ ! -e "+dir+"/asked ]; do sleep 0.1; done", ask)
	job.Variables = append(job.Variables, coordinator.Variable{Key: "GIT_STRATEGY", Value: "none"})
	run := p.enqueue(sharedToken, job)
	until(t, time.Minute, "the endpoint", func() bool {
		_, err := os.Stat(dir + "/where")
		return err == nil
	})
	where, err := os.ReadFile(dir + "/where") // cleanup removes it: the token is in it
	kit.Must(t, err)
	foreign := p.beta(`. ` + dir + `/where; echo "other: $(curl -s -H "Authorization: $TOKEN" "$URL")"; touch ` + dir + `/asked; chmod 0644 ` + dir + `/asked`)
	other := p.enqueue(sharedToken, foreign)
	if result := wait(t, other); result.State != "success" {
		t.Errorf("%+v; log:\n%s", result, other.Text())
	}
	contains(t, other.Text(), `other: {"code":"Forbidden"`)
	if result := wait(t, run); result.State != "success" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), "200 ")
	checkRefused(t, string(where))
	p.settle(t)
	p.checkNothingLeft(t)
}

// checkRefused fails the test unless nothing listens at the endpoint that a script has
// written down.
func checkRefused(t *testing.T, where string) {
	t.Helper()
	_, rest, _ := strings.Cut(where, "URL=http://")
	address, _, _ := strings.Cut(rest, "/")
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		_ = conn.Close()
		t.Errorf("something listens at %s after the job", address)
	}
}
