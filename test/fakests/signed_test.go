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

	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// issue returns a session of a server that was just started.
func issue(t *testing.T, answers ...fakests.Answer) (*fakests.Server, aws.Credentials) {
	t.Helper()
	server, err := fakests.Start(answers...)
	kit.Must(t, err)
	t.Cleanup(server.Close)
	_, err = client(server, aws.Credentials{}).AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String("arn:aws:iam::111122223333:role/a"), RoleSessionName: aws.String("s"), WebIdentityToken: aws.String("t"),
	})
	kit.Must(t, err)
	issued := server.Requests()[0].Issued
	return server, aws.Credentials{AccessKeyID: issued.AccessKeyID, SecretAccessKey: issued.SecretAccessKey, SessionToken: issued.SessionToken}
}

// client returns a client of a server that signs with keys.
func client(server *fakests.Server, keys aws.Credentials) *sts.Client {
	return sts.New(sts.Options{
		BaseEndpoint: aws.String(server.URL()), Region: "eu-west-1", Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return keys, nil }),
	})
}

// TestSigned: a session may assume a role, and nobody else may.
func TestSigned(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*fakests.Server, *aws.Credentials)
		most  int32
		want  string // error code; empty: none
	}{
		"right":           {func(*fakests.Server, *aws.Credentials) {}, 3600, ""},
		"another secret":  {func(_ *fakests.Server, k *aws.Credentials) { k.SecretAccessKey += "x" }, 3600, "SignatureDoesNotMatch"},
		"another token":   {func(_ *fakests.Server, k *aws.Credentials) { k.SessionToken += "x" }, 3600, "InvalidClientTokenId"},
		"no token":        {func(_ *fakests.Server, k *aws.Credentials) { k.SessionToken = "" }, 3600, "InvalidClientTokenId"},
		"another key":     {func(_ *fakests.Server, k *aws.Credentials) { k.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" }, 3600, "InvalidClientTokenId"},
		"over an hour":    {func(*fakests.Server, *aws.Credentials) {}, 3601, "ValidationError"},
		"another time":    {func(s *fakests.Server, _ *aws.Credentials) { s.SetClock(10 * time.Minute) }, 3600, "SignatureDoesNotMatch"},
		"after an hour":   {func(s *fakests.Server, _ *aws.Credentials) { s.SetClock(2 * time.Minute) }, 3600, "ExpiredToken"},
		"nearly as right": {func(s *fakests.Server, _ *aws.Credentials) { s.SetClock(-2 * time.Minute) }, 3600, ""},
	} {
		server, keys := issue(t, fakests.Short(time.Minute), fakests.OK(fakests.Credentials{}))
		test.spoil(server, &keys)
		_, err := client(server, keys).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::444455556666:role/b"), RoleSessionName: aws.String("s"), DurationSeconds: aws.Int32(test.most),
		})
		var api smithy.APIError
		got := ""
		if errors.As(err, &api) {
			got = api.ErrorCode()
		}
		if got != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestChanged: a request that was changed after it was signed is refused.
func TestChanged(t *testing.T) {
	t.Parallel()
	server, keys := issue(t)
	_, err := client(server, keys).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::444455556666:role/b"), RoleSessionName: aws.String("s")})
	kit.Must(t, err)
	sent := server.Requests()[1]
	for body, want := range map[string]int{sent.Form.Encode(): 0, strings.Replace(sent.Form.Encode(), "role%2Fb", "role%2Fc", 1): http.StatusForbidden} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL()+"/", strings.NewReader(body))
		kit.Must(t, err)
		request.Header = sent.Header.Clone()
		response, err := http.DefaultTransport.RoundTrip(request)
		kit.Must(t, err)
		_ = response.Body.Close()
		if want != 0 && response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", body, response.StatusCode, want)
		}
	}
}
