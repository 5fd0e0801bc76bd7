package fakests_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"rolecall/test/fakests"
	"rolecall/test/kit"
)

const role = "arn:aws:iam::123456789012:role/ci/deploy"

func start(t *testing.T, answers ...fakests.Answer) *fakests.Server {
	t.Helper()
	server, err := fakests.Start(answers...)
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return server
}

// assume calls the server by the AWS SDK, once.
func assume(ctx context.Context, server *fakests.Server) (*sts.AssumeRoleWithWebIdentityOutput, error) {
	client := sts.New(sts.Options{
		BaseEndpoint:     aws.String(server.URL()),
		Region:           "eu-central-1",
		RetryMaxAttempts: 1,
	})
	return client.AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String(role),
		RoleSessionName:  aws.String("session"),
		WebIdentityToken: aws.String("a.b.c"),
		DurationSeconds:  aws.Int32(900),
	})
}

// received is what the SDK made of an answer.
func received(out *sts.AssumeRoleWithWebIdentityOutput) fakests.Credentials {
	return fakests.Credentials{
		AccessKeyID:     *out.Credentials.AccessKeyId,
		SecretAccessKey: *out.Credentials.SecretAccessKey,
		SessionToken:    *out.Credentials.SessionToken,
		Expiration:      fakests.Expires(*out.Credentials.Expiration),
		AssumedRoleARN:  *out.AssumedRoleUser.Arn,
		AssumedRoleID:   *out.AssumedRoleUser.AssumedRoleId,
	}
}

func TestOK(t *testing.T) {
	server := start(t)
	out, err := assume(t.Context(), server)
	kit.Must(t, err)
	request := server.Requests()[0]
	got := received(out)
	if diff := cmp.Diff(request.Issued, got); diff != "" {
		t.Errorf("issued and received credentials differ:\n%s", diff)
	}
	if want := "arn:aws:sts::123456789012:assumed-role/deploy/session"; got.AssumedRoleARN != want {
		t.Errorf("assumed role %s, want %s", got.AssumedRoleARN, want)
	}
	if left := time.Until(*out.Credentials.Expiration); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("credentials expire in %v, want the 15 minutes of the request", left)
	}
	want := map[string]string{
		"Action":           "AssumeRoleWithWebIdentity",
		"RoleArn":          role,
		"RoleSessionName":  "session",
		"WebIdentityToken": "a.b.c",
	}
	for name, value := range want {
		if got := request.Form.Get(name); got != value {
			t.Errorf("recorded %s = %q, want %q", name, got, value)
		}
	}
}

func TestOKOverrides(t *testing.T) {
	want := fakests.Credentials{
		AccessKeyID:     "ASIA$(id)",
		SecretAccessKey: "line\nbreak & <tag>",
		SessionToken:    "token",
		Expiration:      "2001-02-03T04:05:06Z",
		AssumedRoleARN:  "arn:aws:sts::999999999999:assumed-role/other/session",
		AssumedRoleID:   "AROA:x",
	}
	server := start(t, fakests.OK(want))
	out, err := assume(t.Context(), server)
	kit.Must(t, err)
	got := received(out)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestError(t *testing.T) {
	server := start(t, fakests.Error(http.StatusForbidden, "AccessDenied", "Not authorized"))
	_, err := assume(t.Context(), server)
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got error %v, want one of the API", err)
	}
	if api.ErrorCode() != "AccessDenied" || api.ErrorMessage() != "Not authorized" {
		t.Errorf("got %s: %s", api.ErrorCode(), api.ErrorMessage())
	}
}

func TestAnswersInOrder(t *testing.T) {
	server := start(t,
		fakests.Error(http.StatusServiceUnavailable, "ServiceUnavailable", "later"),
		fakests.OK(fakests.Credentials{}),
	)
	for i, wantError := range []bool{true, false, false} {
		if _, err := assume(t.Context(), server); (err != nil) != wantError {
			t.Errorf("request %d: got error %v, want an error: %v", i, err, wantError)
		}
	}
	if n := len(server.Requests()); n != 3 {
		t.Errorf("%d requests are recorded, want 3", n)
	}
}

func TestFaults(t *testing.T) {
	for name, test := range map[string]struct {
		answer fakests.Answer
		want   string // a part of the SDK's error
	}{
		"HTML":      {fakests.HTML(http.StatusBadGateway), "502"},
		"truncated": {fakests.TruncatedXML(), "unexpected EOF"},
		"drip":      {fakests.Drip(100), "deadline exceeded"},
		"redirect":  {fakests.Redirect("http://127.0.0.1:1/", http.StatusTemporaryRedirect), "307"},
		"hang":      {fakests.Hang(), "deadline exceeded"},
		"reset":     {fakests.Reset(), "connection reset by peer"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := assume(ctx, start(t, test.answer))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestHugeCountsWhatIsTaken(t *testing.T) {
	const size = 1 << 40
	server := start(t, fakests.Huge(size))
	response, err := http.PostForm(server.URL(), nil)
	kit.Must(t, err)
	response.Body.Close()
	if sent := server.Requests()[0].Sent; sent == 0 || sent > 64<<20 {
		t.Errorf("the client that closed at once took %d bytes", sent)
	}
}
