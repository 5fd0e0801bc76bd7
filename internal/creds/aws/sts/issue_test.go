package sts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/sts"
	"rolecall/test/fakests"
)

// TestIssue: every part of an order reaches the server that the order names.
func TestIssue(t *testing.T) {
	t.Parallel()
	server, err := fakests.Start(fakests.OK(fakests.Credentials{}))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	order := creds.Order{Session: "GitLabRunner-1-2-3", Lifetime: 2 * time.Hour, Limit: 30 * time.Minute, Terms: aws.Terms{
		Role: parseRole(t, role), Policy: "{}", PolicyARNs: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}, Region: "eu-west-3",
		Server: aws.Server{Endpoint: server.URL(), Region: "ap-south-1"},
	}.Encode()}
	client := sts.NewClient()
	client.Endpoint = "http://127.0.0.1:1"
	c, err := client.Issue(t.Context(), order, newRequest(t).Token)
	if err != nil || c.Facts.Get(aws.RegionFact) != "eu-west-3" || c.Facts.Get(aws.RoleFact) != role {
		t.Fatalf("%+v, %v", c.Facts, err)
	}
	got := map[string]string{}
	for name, values := range server.Requests()[0].Form {
		got[name] = strings.Join(values, " and ")
	}
	want := map[string]string{
		"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleArn": role, "RoleSessionName": "GitLabRunner-1-2-3",
		"WebIdentityToken": rawToken, "DurationSeconds": "1800", "Policy": "{}", "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the request differs:\n%s", diff)
	}
}

// TestIssueRefuses: the order of another provider causes no request.
func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	order := creds.Order{Session: "x", Terms: []byte(`{"vault_path":"hunter2"}`)}
	c, err := sts.NewClient().Issue(t.Context(), order, newRequest(t).Token)
	if err == nil || err.Error() != "the terms of the order are not those of AWS" || c.Env != nil {
		t.Errorf("%v, error %v", c, err)
	}
	clean(t, err)
}
