package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// brokerToken is the name of the ID token that SDKs send to a broker.
const brokerToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN"

// nobodyToken is the token of a runner that takes no job.
const nobodyToken = "glrt-nobody0001"

// brokerWorld is a world with a broker that obeys the policy file of a policyWorld, with a
// source of alpha, and one tenant more: often is alpha with sessions that are renewed about
// every ten seconds.
type brokerWorld struct {
	*policyWorld

	broker *lab.Broker
}

// newBrokerWorld starts a world whose broker answers at these addresses, and no runner.
func newBrokerWorld(t *testing.T, listen ...string) *brokerWorld {
	t.Helper()
	dir := t.TempDir()
	b := &brokerWorld{policyWorld: &policyWorld{&world{gitlab: startGitLab(t)}, dir, dir + "/rolecall.toml"}}
	t.Cleanup(func() { b.checkLines(t) })
	b.startMinIO(t)
	_, err := b.minio.Root().PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("alpha"), Key: aws.String("object"), Body: strings.NewReader("text")})
	kit.Must(t, err)
	b.write(t, b.policyText())
	b.serveAs(t, "", b.source("audit"))
	text, err := os.ReadFile(b.policy)
	kit.Must(t, err)
	b.write(t, string(text)+fmt.Sprintf("[[tenant]]\nname = \"often\"\nrole_arn = %q\naudience = \"https://alpha.example\"\nprojects = [\"acme/*\"]\n%s", b.minio.RoleARN("alpha"), renewing))
	b.broker = b.startBroker(t, b.recorder.URL(), listen...)
	return b
}

// startBroker starts a broker in a folder of the world, with sts as its STS.
func (b *brokerWorld) startBroker(t *testing.T, sts string, listen ...string) *lab.Broker {
	t.Helper()
	dir, err := os.MkdirTemp(b.dir, "broker") //nolint:usetesting // it goes with the world's
	kit.Must(t, err)
	broker, err := lab.StartBroker(t.Context(), lab.BrokerOptions{
		Dir: dir, Policy: b.policy, Listen: listen,
		Env: []string{"AWS_ENDPOINT_URL_STS=" + sts, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=AKIAHOST", "AWS_PROFILE=host"},
	})
	kit.Must(t, err)
	t.Cleanup(func() {
		broker.Close()
		if t.Failed() {
			t.Log(broker.Log())
		}
	})
	return broker
}

// asker returns a job that asks the broker at a host. All that it gets for that are an ID token
// and variables.
func (b *brokerWorld) asker(host string, script ...string) coordinator.Job {
	job := b.alpha(script...)
	job.IDTokens = map[string]string{brokerToken: audience("alpha")}
	job.Variables = nil
	for key, value := range map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://" + host + "/v1/aws/alpha",
		"AWS_REGION":                         "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", // the CLI of Debian 12 knows only the latter
		"AWS_ENDPOINT_URL_S3": b.recorder.URL(),
	} {
		job.Variables = append(job.Variables, coordinator.Variable{Key: key, Value: value, Public: true})
	}
	return job
}

// tokenOf returns the ID token of a job that never runs, and its id.
func (b *brokerWorld) tokenOf(t *testing.T, job coordinator.Job) (token string, run *coordinator.Run) {
	t.Helper()
	run = b.gitlab.Enqueue(nobodyToken, job)
	token, err := run.SignIDToken("GITLAB_OIDC_TOKEN")
	kit.Must(t, err)
	return token, run
}

// reply is what a broker answers.
type reply struct {
	status int
	body   string
}

// ask asks a broker for a path with a token, once.
func ask(t *testing.T, broker *lab.Broker, path, token string) reply {
	t.Helper()
	got, err := try(t.Context(), broker, path, token)
	kit.Must(t, err)
	return got
}

// try is ask for any goroutine.
func try(ctx context.Context, broker *lab.Broker, path, token string) (reply, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, broker.URL+path, nil)
	if err != nil {
		return reply{}, err
	}
	request.Header.Set("Authorization", token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, string(body)}, err
}

// settled asks until the answer is there.
func settled(t *testing.T, broker *lab.Broker, path, token string) (r reply) {
	t.Helper()
	until(t, time.Minute, "an answer of the broker", func() bool {
		r = ask(t, broker, path, token)
		return r.code() != "Later"
	})
	return r
}

// code returns the code of a refusal; empty: it is a credential.
func (r reply) code() string {
	var said struct{ Code, AccessKeyId string }
	if err := json.Unmarshal([]byte(r.body), &said); err != nil || (r.status == http.StatusOK) != (said.AccessKeyId != "") {
		return "no answer of a broker: " + r.body
	}
	return said.Code
}

// calls returns how many credentials STS was asked for with each token, and fails the test where
// the audit log of the broker does not have all, or has a secret.
func (b *brokerWorld) calls(t *testing.T) map[string]int {
	t.Helper()
	content, err := os.ReadFile(b.audit())
	kit.Must(t, err)
	calls := map[string]int{}
	for _, one := range b.recorder.Issued() {
		calls[one.IDToken]++
		if one.AccessKeyID != "" && !strings.Contains(string(content), one.AccessKeyID) {
			t.Errorf("the audit log does not have %s", one.AccessKeyID)
		}
	}
	for _, secret := range b.recorder.Secrets() {
		if strings.Contains(string(content), secret) || strings.Contains(b.broker.Log(), secret) {
			t.Error("a secret is in the log or the audit log of the broker")
		}
	}
	return calls
}
