package sts_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/test/fakests"
)

// The roles of a chain after the first.
const (
	bridge = "arn:aws:iam::444455556666:role/bridge"
	target = "arn:aws:iam::777788889999:role/x/target"
)

// newChain returns a call for a chain of three roles.
func newChain(t *testing.T, answers ...fakests.Answer) *call {
	t.Helper()
	c := newCall(t, answers...)
	c.request.Region, c.request.Source = "eu-west-3", "audit"
	c.request.Policy, c.request.PolicyARNs = "{}", []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
	c.request.Chain = []aws.Hop{
		{Role: parseRole(t, bridge), Tags: []aws.Tag{{Key: "project", Value: "acme/x", Transitive: true}, {Key: "team", Value: "a b"}}, SourceIdentity: "jane"},
		{Role: parseRole(t, target), ExternalID: "x:1"},
	}
	return c
}

// form returns what an AssumeRole has asked for.
func form(r fakests.Request) map[string]string {
	all := map[string]string{}
	for name, values := range r.Form {
		all[name] = strings.Join(values, " and ")
	}
	return all
}

// TestChain: each role is assumed with the session before it, whose signature the fake STS
// checks, and the job gets the last session alone.
func TestChain(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	c.request.Lifetime = 3 * time.Hour
	got, err := c.assume(t)
	requests := c.server.Requests()
	if err != nil || len(requests) != 3 {
		t.Fatalf("%d requests, %v", len(requests), err)
	}
	name := c.request.Session
	for i, want := range []map[string]string{
		{"Action": "AssumeRoleWithWebIdentity", "RoleArn": role, "DurationSeconds": "900", "WebIdentityToken": rawToken},
		{
			"Action": "AssumeRole", "RoleArn": bridge, "DurationSeconds": "900", "SourceIdentity": "jane", "TransitiveTagKeys.member.1": "project",
			"Tags.member.1.Key": "project", "Tags.member.1.Value": "acme/x", "Tags.member.2.Key": "team", "Tags.member.2.Value": "a b",
		},
		{"Action": "AssumeRole", "RoleArn": target, "DurationSeconds": "3600", "ExternalId": "x:1", "Policy": "{}", "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
	} {
		want["Version"], want["RoleSessionName"] = "2011-06-15", name
		if diff := cmp.Diff(want, form(requests[i])); diff != "" {
			t.Errorf("request %d differs:\n%s", i+1, diff)
		}
		if i > 0 && (requests[i].By == "" || requests[i].By != requests[i-1].Issued.AccessKeyID) {
			t.Errorf("request %d was made with the session %q, want that of the one before", i+1, requests[i].By)
		}
	}
	last := requests[2].Issued
	facts := creds.Facts{
		{Name: "role_arn", Value: target},
		{Name: "role_session_name", Value: name},
		{Name: "access_key_id", Value: last.AccessKeyID},
		{Name: "region", Value: "eu-west-3"},
		{Name: "chain", Value: role + " " + bridge},
	}
	if diff := cmp.Diff(facts, got.Facts); diff != "" {
		t.Errorf("the facts differ:\n%s", diff)
	}
	var answer map[string]string
	if err := json.Unmarshal([]byte(got.Served.Answer.Reveal()), &answer); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"AccessKeyId": last.AccessKeyID, "SecretAccessKey": last.SecretAccessKey, "Token": last.SessionToken, "Expiration": last.Expiration, "AccountId": "777788889999",
	}
	if diff := cmp.Diff(want, answer); diff != "" || got.Name != "audit" || got.Env != nil || len(got.Secrets) != 3 || got.Served.URL+got.Served.Token != "" {
		t.Errorf("%s with %d variables: the answer differs:\n%s", got, len(got.Env), diff)
	}
	if err := (creds.Set{got}).Check(); err != nil {
		t.Error(err)
	}
}

// TestChainRefused: an error of a later role names the role, who assumes it and what its
// trust policy needs, and no key of a session.
func TestChainRefused(t *testing.T) {
	t.Parallel()
	ok := fakests.OK(fakests.Credentials{})
	refusal := func(code string) fakests.Answer { return fakests.Error(403, code, "x "+leak) }
	for name, test := range map[string]struct {
		answers  []fakests.Answer
		side     fault.Side
		requests int
		want     []string
	}{
		"the first": {[]fakests.Answer{refusal("AccessDenied")}, fault.Account, 1, []string{"refuses the role to this job", "role: " + role, condition}},
		"the second": {[]fakests.Answer{ok, refusal("AccessDenied")}, fault.Account, 2, []string{
			`AWS refuses a role of the chain to the role before it ("AccessDenied")`, "who acts: the owner of the AWS account 444455556666", "role: " + bridge,
			"chain: role 2 of 3, assumed with a session of\n" + role, `"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]`, `"AWS": "` + role + `"`, "answer: AccessDenied 01234567-",
		}},
		"the third": {[]fakests.Answer{ok, ok, refusal("AccessDenied")}, fault.Account, 3, []string{
			"role: " + target, "role 3 of 3", bridge, `"Action": ["sts:AssumeRole"],`, `"StringEquals": { "sts:ExternalId": "x:1" }`,
		}},
		"a tag":          {[]fakests.Answer{ok, refusal("ValidationError")}, fault.Account, 2, []string{"role: " + bridge, "its external_id, tags and source_identity"}},
		"too much":       {[]fakests.Answer{ok, refusal("PackedPolicyTooLarge")}, fault.Admin, 2, []string{"the tags of the role"}},
		"no policy":      {[]fakests.Answer{ok, ok, refusal("MalformedPolicyDocument")}, fault.Admin, 3, []string{"correct session_policy_file"}},
		"a session over": {[]fakests.Answer{ok, refusal("ExpiredToken")}, fault.Infrastructure, 2, []string{`the time of a request ("ExpiredToken")`, "check NTP"}},
		"out of order":   {[]fakests.Answer{ok, fakests.Error(500, "InternalFailure", leak)}, fault.Infrastructure, 4, []string{"no credentials: STS at 127.0.0.1:", ", 3 tries: ", "role: " + bridge}},
		"silence":        {[]fakests.Answer{ok, fakests.Slow(30*time.Second, ok)}, fault.Infrastructure, -1, []string{"no answer in time", "role: " + bridge}},
		"another role":   {[]fakests.Answer{ok, fakests.OK(fakests.Credentials{AssumedRoleARN: "arn:aws:sts::444455556666:assumed-role/admin/x"})}, fault.Infrastructure, 2, []string{"STS answered for"}},
		"too long":       {[]fakests.Answer{ok, ok, fakests.Short(2 * time.Hour)}, fault.Infrastructure, 3, []string{"valid for", "check NTP"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t, test.answers...)
			c.client.Attempt, c.client.Deadline = 500*time.Millisecond, 5*time.Second
			c.refused(t, test.side, test.requests, test.want...)
			_, err := c.client.Assume(t.Context(), c.request)
			for _, r := range c.server.Requests() {
				if secret := r.Issued.SecretAccessKey; secret != "" && err != nil && (strings.Contains(said(err), secret) || strings.Contains(said(err), r.Issued.AccessKeyID)) {
					t.Errorf("the error holds a key of a session: %v", err)
				}
			}
		})
	}
}

// TestChainLife: a chained session lasts an hour at most, may be shorter than was asked, and
// a clock that is off stops it or does it no harm.
func TestChainLife(t *testing.T) {
	t.Parallel()
	ok := fakests.OK(fakests.Credentials{})
	for name, test := range map[string]struct {
		lifetime, limit, clock time.Duration
		answers                []fakests.Answer
		asked, want            string // want is a part of the error
	}{
		"a limit":      {2 * time.Hour, 30 * time.Minute, 0, nil, "1800", ""},
		"a long limit": {4 * time.Hour, 2 * time.Hour, 0, nil, "3600", ""},
		"a short job":  {time.Minute, 0, 0, nil, "900", ""},
		"shorter":      {2 * time.Hour, 0, 0, []fakests.Answer{ok, ok, fakests.Short(20 * time.Minute)}, "3600", ""},
		"much shorter": {2 * time.Hour, 0, 0, []fakests.Answer{ok, ok, fakests.Short(30 * time.Second)}, "3600", "STS returned credentials that are valid for"},
		"clock behind": {2 * time.Hour, 0, 10 * time.Minute, nil, "", "check NTP: this host's clock is -"},
		"clock ahead":  {2 * time.Hour, 0, -10 * time.Minute, nil, "3600", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newChain(t, test.answers...)
			c.server.SetClock(test.clock)
			c.request.Lifetime, c.request.Limit = test.lifetime, test.limit
			_, err := c.assume(t)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if requests := c.server.Requests(); test.asked != "" && (len(requests) != 3 || requests[2].Form.Get("DurationSeconds") != test.asked) {
				t.Errorf("%d requests, want a third for %s seconds", len(requests), test.asked)
			}
		})
	}
}

// TestEndpoint: with an endpoint scripts have regions and no keys, and learn of the endpoint
// by the variables that AWS's tools look at.
func TestEndpoint(t *testing.T) {
	t.Parallel()
	c := newCall(t)
	c.request.Endpoint, c.request.Region = true, "eu-west-3"
	got, err := c.assume(t)
	if err != nil {
		t.Fatal(err)
	}
	issued := c.server.Requests()[0].Issued
	if diff := cmp.Diff([]string{"AWS_REGION=eu-west-3", "AWS_DEFAULT_REGION=eu-west-3"}, creds.Set{got}.Environ()); diff != "" || len(got.Secrets) != 3 {
		t.Errorf("%d secrets, the variables differ:\n%s", len(got.Secrets), diff)
	}
	if got.Served == nil || got.Served.URL != "AWS_CONTAINER_CREDENTIALS_FULL_URI" || got.Served.Token != "AWS_CONTAINER_AUTHORIZATION_TOKEN" || !strings.Contains(got.Served.Answer.Reveal(), issued.SessionToken) {
		t.Errorf("it is served as %+v", got.Served)
	}
}
