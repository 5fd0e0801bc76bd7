package lab_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

func startRecorder(t *testing.T, target string) *lab.Recorder {
	t.Helper()
	recorder, err := lab.Record(target)
	kit.Must(t, err)
	t.Cleanup(recorder.Close)
	return recorder
}

func startFakeSTS(t *testing.T, answers ...fakests.Answer) *fakests.Server {
	t.Helper()
	server, err := fakests.Start(answers...)
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return server
}

// ask asks STS as the SDK does.
func ask(t *testing.T, endpoint, token string) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	t.Helper()
	client := sts.New(sts.Options{BaseEndpoint: &endpoint, Region: "us-east-1", RetryMaxAttempts: 1})
	return client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String("arn:aws:iam::111122223333:role/deploy"),
		RoleSessionName:  aws.String("session"),
		WebIdentityToken: &token,
	})
}

func TestRecorderRemembersWhatWasIssued(t *testing.T) {
	server := startFakeSTS(t)
	recorder := startRecorder(t, server.URL())
	var want []string
	for _, token := range []string{"token-one", "token-two"} {
		out, err := ask(t, recorder.URL(), token)
		kit.Must(t, err)
		want = append(want, token, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	}
	if diff := cmp.Diff(want, recorder.Secrets()); diff != "" {
		t.Errorf("secrets differ:\n%s", diff)
	}
	sent := server.Requests()[1].Issued
	wantIssued := lab.Issued{
		RoleARN: "arn:aws:iam::111122223333:role/deploy", SessionName: "session", IDToken: "token-two",
		AccessKeyID: sent.AccessKeyID, SecretAccessKey: sent.SecretAccessKey, SessionToken: sent.SessionToken,
		Expiration: sent.Expiration,
	}
	if diff := cmp.Diff(wantIssued, recorder.Issued()[1]); diff != "" {
		t.Errorf("issued differs:\n%s", diff)
	}
	if calls := recorder.Calls(); len(calls) > 0 {
		t.Errorf("requests to STS are among other calls: %v", calls)
	}
}

// TestRecorderRemembersHalfAnAnswer has a secret key that nobody could use, and is one anyway.
func TestRecorderRemembersHalfAnAnswer(t *testing.T) {
	recorder := startRecorder(t, startFakeSTS(t, fakests.TruncatedXML()).URL())
	if _, err := ask(t, recorder.URL(), "the-token"); err == nil {
		t.Error("half an answer is no error")
	}
	issued := recorder.Issued()
	if len(issued) != 1 || issued[0].SecretAccessKey == "" || !strings.HasPrefix(issued[0].SessionToken, "IQoJ") {
		t.Errorf("got %+v", issued)
	}
}

func TestRecorderPassesErrorsOn(t *testing.T) {
	recorder := startRecorder(t, startFakeSTS(t, fakests.Error(403, "AccessDenied", "no")).URL())
	if _, err := ask(t, recorder.URL(), "the-token"); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("got %v, want AccessDenied", err)
	}
	if got := recorder.Secrets(); !slices.Equal(got, []string{"the-token"}) {
		t.Errorf("secrets %q, want only the ID token", got)
	}
}

// TestRecorderReadsQueries has a client that puts all in the address, which STS takes too.
func TestRecorderReadsQueries(t *testing.T) {
	recorder := startRecorder(t, startFakeSTS(t).URL())
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "WebIdentityToken": {"the-token"}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, recorder.URL()+"/?"+form.Encode(), nil)
	kit.Must(t, err)
	response, err := http.DefaultClient.Do(request)
	kit.Must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	kit.Must(t, err)
	secrets := recorder.Secrets()
	if len(secrets) != 3 || !strings.Contains(string(body), secrets[1]) {
		t.Errorf("%d secrets for the answer %s", len(secrets), body)
	}
}

// TestRecorderBeforeMinIO shows that signatures hold on the way through a recorder.
func TestRecorderBeforeMinIO(t *testing.T) {
	server := startCoordinator(t)
	minio := startMinIO(t, server)
	recorder := startRecorder(t, minio.URL)
	token := server.SignToken(server.Enqueue("nobody", coordinator.Job{}).Claims(alphaAudience))
	direct := *minio
	direct.URL = recorder.URL()
	out, err := assume(t, &direct, "alpha", token)
	kit.Must(t, err)
	if got, want := recorder.Secrets(), []string{token, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken}; !slices.Equal(got, want) {
		t.Errorf("got %d secrets, want the %d of the answer", len(got), len(want))
	}
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(recorder.URL()), Region: "us-east-1", UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			c := out.Credentials
			return aws.Credentials{AccessKeyID: *c.AccessKeyId, SecretAccessKey: *c.SecretAccessKey, SessionToken: *c.SessionToken}, nil
		}),
	})
	for _, bucket := range []string{"alpha", "beta"} {
		_, _ = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: aws.String("key"), Body: strings.NewReader("text")})
	}
	id := *out.Credentials.AccessKeyId
	want := []lab.Call{{"PUT", "/alpha/key", id, 200, "text"}, {"PUT", "/beta/key", id, 403, "text"}}
	if diff := cmp.Diff(want, recorder.Calls()); diff != "" {
		t.Errorf("calls differ:\n%s", diff)
	}
}
