package sts_test

import (
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/sts"
	"rolecall/test/fakests"
)

// TestProvider: an order reaches STS by the provider as by a client.
func TestProvider(t *testing.T) {
	t.Parallel()
	server, err := fakests.Start(fakests.OK(fakests.Credentials{}))
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	p := sts.NewProvider()
	order := creds.Order{Provider: p.Name(), Session: "GitLabRunner-1-2-3", Lifetime: time.Hour, Terms: aws.Terms{
		Role: parseRole(t, role), Region: "eu-west-3", Server: aws.Server{Endpoint: server.URL()},
	}.Encode()}
	c, err := p.Issue(t.Context(), order, newRequest(t).Token)
	if err != nil || c.Provider != p.Name() || c.Facts.Get(aws.RoleFact) != role || len(server.Requests()) != 1 {
		t.Errorf("%v, %v after %d requests", c, err, len(server.Requests()))
	}
}

// TestIgnores: of AWS's variables the SDK sees those alone that a client is documented
// to obey, and of all others every one.
func TestIgnores(t *testing.T) {
	t.Parallel()
	want := map[string]bool{
		"AWS_PROFILE": true, "AWS_ACCESS_KEY_ID": true, "AWS_WEB_IDENTITY_TOKEN_FILE": true, "AWS_CONFIG_FILE": true, "AWS_NOT_YET_KNOWN": true,
		"HTTPS_PROXY": false, "PATH": false, "": false,
	}
	for _, variable := range sts.Settings() {
		want[variable] = false
	}
	for variable, ignored := range want {
		if got := sts.NewProvider().Ignores(variable); got != ignored {
			t.Errorf("Ignores(%s) = %v, want %v", variable, got, ignored)
		}
	}
	if !aws.IsVariable(sts.Settings()[0]) {
		t.Errorf("%s is no variable of AWS: nothing is held by it", sts.Settings()[0])
	}
}
