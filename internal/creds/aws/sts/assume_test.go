package sts_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/test/fakests"
)

func TestAssume(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lifetime, want time.Duration
		region, gets   string
	}{
		"no lifetime known": {0, time.Hour, "", "eu-central-1"},
		"30 minutes":        {30 * time.Minute, 30 * time.Minute, "us-gov-west-1", "us-gov-west-1"},
		"a short job":       {time.Second, 15 * time.Minute, "", "eu-central-1"},
		"two days":          {48 * time.Hour, 12 * time.Hour, "", "eu-central-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCall(t)
			c.request.Lifetime, c.request.Region = test.lifetime, test.region
			result, err := c.assume(t)
			if err != nil || len(c.server.Requests()) != 1 {
				t.Fatalf("%d requests, error %v", len(c.server.Requests()), err)
			}
			request := c.server.Requests()[0]
			issued := request.Issued
			if diff := cmp.Diff([]string{
				"AWS_ACCESS_KEY_ID=" + issued.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + issued.SecretAccessKey, "AWS_SESSION_TOKEN=" + issued.SessionToken,
				"AWS_REGION=" + test.gets, "AWS_DEFAULT_REGION=" + test.gets,
			}, creds.Set{result}.Environ()); diff != "" {
				t.Errorf("other credentials than STS issued:\n%s", diff)
			}
			facts := creds.Facts{
				{Name: aws.RoleFact, Value: role},
				{Name: aws.SessionFact, Value: c.request.Session},
				{Name: aws.KeyIDFact, Value: issued.AccessKeyID},
				{Name: aws.RegionFact, Value: test.gets},
			}
			if test.region == "" {
				facts = append(facts, creds.Fact{Name: aws.RegionOfFact, Value: "service"})
			}
			if diff := cmp.Diff(facts, result.Facts); diff != "" || fakests.Expires(result.Expires) != issued.Expiration {
				t.Errorf("expires %v, the facts differ:\n%s", result.Expires, diff)
			}
			want := map[string]string{
				"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": c.request.Session,
				"WebIdentityToken": rawToken, "DurationSeconds": strconv.Itoa(int(test.want / time.Second)),
			}
			form := map[string]string{}
			for name := range request.Form {
				form[name] = request.Form.Get(name)
			}
			if diff := cmp.Diff(want, form); diff != "" {
				t.Errorf("the request differs:\n%s", diff)
			}
			if request.Header.Get("Authorization") != "" {
				t.Error("the request is signed with somebody's credentials")
			}
		})
	}
}

// TestShortened: if the role allows only an hour, the session lasts an hour, and the
// credential says so.
func TestShortened(t *testing.T) {
	t.Parallel()
	refusal := fakests.Error(http.StatusBadRequest, "ValidationError",
		"The requested DurationSeconds exceeds the MaxSessionDuration set for this role. "+leak)
	c := newCall(t, refusal, fakests.OK(fakests.Credentials{}))
	c.request.Lifetime = 2 * time.Hour
	result, err := c.assume(t)
	if err != nil || result.Facts.Get(aws.RefusedDurationFact) != "2h0m0s" {
		t.Fatalf("shortened %q, error %v", result.Facts.Get(aws.RefusedDurationFact), err)
	}
	requests := c.server.Requests()
	if len(requests) != 2 || requests[0].Form.Get("DurationSeconds") != "7200" || requests[1].Form.Get("DurationSeconds") != "3600" {
		t.Errorf("%d requests, want one for 7200 and one for 3600 seconds", len(requests))
	}
}

// TestNotShortened: a refused duration of an hour or less is not requested again, and a
// second refusal is final.
func TestNotShortened(t *testing.T) {
	t.Parallel()
	refusal := fakests.Error(http.StatusBadRequest, "ValidationError", "DurationSeconds "+leak)
	for lifetime, requests := range map[time.Duration]int{time.Hour: 1, 15 * time.Minute: 1, 2 * time.Hour: 2} {
		t.Run(lifetime.String(), func(t *testing.T) {
			t.Parallel()
			c := newCall(t, refusal)
			c.request.Lifetime = lifetime
			c.refused(t, fault.Account, requests, role, `"ValidationError"`, "maximum session duration")
		})
	}
}

// TestSecondTry: a request whose error may pass is tried up to three times.
func TestSecondTry(t *testing.T) {
	t.Parallel()
	ok := fakests.OK(fakests.Credentials{})
	for name, answers := range map[string][]fakests.Answer{
		"500 twice":        {fakests.Error(500, "InternalFailure", leak), fakests.Error(500, "InternalFailure", leak), ok},
		"throttled twice":  {fakests.Error(400, "Throttling", leak), fakests.Error(429, "SlowDown", leak), ok},
		"reset":            {fakests.Reset(), ok},
		"a proxy's page":   {fakests.HTML(http.StatusBadGateway), ok},
		"half an answer":   {fakests.TruncatedXML(), ok},
		"keys not fetched": {fakests.Error(400, "InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider"), ok},
		"silence":          {fakests.Hang(), ok},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCall(t, answers...)
			c.client.Attempt = time.Second
			if _, err := c.assume(t); err != nil || len(c.server.Requests()) != len(answers) {
				t.Errorf("%d requests, error %v, want success at number %d", len(c.server.Requests()), err, len(answers))
			}
		})
	}
}

// TestCanceled: the runner ends the stage in the middle of a request.
func TestCanceled(t *testing.T) {
	t.Parallel()
	c := newCall(t, fakests.Hang())
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, cancel)
	begin := time.Now()
	_, err := c.client.Assume(ctx, c.request)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	clean(t, err)
	if fault.CodeOf(err) != fault.NoAnswer || !strings.HasPrefix(err.Error(), "no credentials: STS at 127.0.0.1:") {
		t.Errorf("error %v, want one of the infrastructure", err)
	}
}
