package sts_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/test/fakests"
)

// TestNoAnswerOfSTS: an answer that is not from STS ends in time as a failure of
// infrastructure that names STS's host.
func TestNoAnswerOfSTS(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer   fakests.Answer
		requests int
		want     string
	}{
		"HTML with 200":   {fakests.HTML(http.StatusOK), 3, "is not from STS"},
		"HTML with 502":   {fakests.HTML(http.StatusBadGateway), 3, "HTTP status 502 is not from STS"},
		"HTML with 404":   {fakests.HTML(http.StatusNotFound), 1, "HTTP status 404 is not from STS"},
		"half an XML":     {fakests.TruncatedXML(), 3, "is not from STS"},
		"2 GB":            {fakests.Huge(2 << 30), 3, "is not from STS"},
		"a byte a second": {fakests.Drip(1), 3, "no answer in time"},
		"silence":         {fakests.Hang(), 3, "no answer in time"},
		"reset":           {fakests.Reset(), 3, "connection reset by peer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCall(t, test.answer)
			c.client.Attempt = time.Second
			c.refused(t, fault.Infrastructure, test.requests, "no credentials: STS at 127.0.0.1:", "role: "+role, " tries: ", test.want)
			for _, request := range c.server.Requests() {
				if request.Sent > 32<<20 {
					t.Errorf("%d bytes of an answer were taken", request.Sent)
				}
			}
		})
	}
}

// TestDeadline bounds all tries together.
func TestDeadline(t *testing.T) {
	t.Parallel()
	c := newCall(t, fakests.Hang())
	c.client.Deadline = 700 * time.Millisecond
	begin := time.Now()
	c.refused(t, fault.Infrastructure, 1, "no answer in time")
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestRedirect: the token is not sent to the target of a redirect.
func TestRedirect(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			elsewhere, err := fakests.Start()
			if err != nil {
				t.Fatal(err)
			}
			defer elsewhere.Close()
			c := newCall(t, fakests.Redirect(elsewhere.URL(), status))
			c.refused(t, fault.Infrastructure, 1, "is not from STS")
			if n := len(elsewhere.Requests()); n > 0 {
				t.Errorf("%d requests went elsewhere", n)
			}
		})
	}
}

// TestOddCredentials: keys that would be unsafe in a file for shells are refused.
func TestOddCredentials(t *testing.T) {
	t.Parallel()
	const id, secret = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
	for name, test := range map[string]struct {
		given fakests.Credentials
		want  string
	}{
		"shell in the id":         {fakests.Credentials{AccessKeyID: id + "$(id)"}, "access key id must have"},
		"a line in the id":        {fakests.Credentials{AccessKeyID: id + "\nLD_PRELOAD=/x"}, "access key id must have"},
		"a short id":              {fakests.Credentials{AccessKeyID: "ASIA"}, "access key id must have"},
		"a line in the secret":    {fakests.Credentials{SecretAccessKey: secret + "\n"}, "secret access key must have"},
		"blanks before a secret":  {fakests.Credentials{SecretAccessKey: " " + secret}, "secret access key must have"},
		"a quote in the token":    {fakests.Credentials{SessionToken: secret + "'"}, "session token must have"},
		"a token of 20 KB":        {fakests.Credentials{SessionToken: strings.Repeat("x", 20<<10)}, "session token must have"},
		"shell in the token":      {fakests.Credentials{SessionToken: "`id`" + secret}, "session token must have"},
		"another role":            {fakests.Credentials{AssumedRoleARN: "arn:aws:sts::111122223333:assumed-role/admin/x"}, "STS answered for"},
		"the role of another one": {fakests.Credentials{AssumedRoleARN: "arn:aws:sts::999999999999:assumed-role/deploy/x"}, "STS answered for"},
		"another session":         {fakests.Credentials{AssumedRoleARN: "arn:aws:sts::111122223333:assumed-role/deploy/other"}, "STS answered for"},
		"a role that is none":     {fakests.Credentials{AssumedRoleARN: "x\n" + strings.Repeat("y", 500)}, "STS answered for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCall(t, fakests.OK(test.given))
			c.refused(t, fault.Infrastructure, 1, test.want)
			_, err := c.assume(t)
			for _, value := range []string{id, secret} {
				if err != nil && strings.Contains(err.Error(), value) {
					t.Errorf("the error holds a secret: %v", err)
				}
			}
		})
	}
}

// TestExpiry: credentials that expire too soon or too late are refused, and the error
// has the difference of the clocks.
func TestExpiry(t *testing.T) {
	t.Parallel()
	const clock = "check NTP: this host's clock is"
	in := func(left time.Duration) string { return fakests.Expires(time.Now().Add(left)) }
	for name, test := range map[string]struct {
		expires string
		want    string // empty: accepted
	}{
		"over":            {in(-time.Hour), clock},
		"over at once":    {in(30 * time.Second), clock},
		"long enough":     {in(2 * time.Minute), ""},
		"a fast clock":    {in(time.Hour + 4*time.Minute), ""},
		"too long":        {in(time.Hour + 6*time.Minute), clock},
		"a hundred years": {in(100 * 365 * 24 * time.Hour), clock},
		"thousand years":  {"3000-01-01T00:00:00Z", clock},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCall(t, fakests.OK(fakests.Credentials{Expiration: test.expires}))
			if test.want != "" {
				c.refused(t, fault.Infrastructure, 1, "STS returned credentials that are valid for", "requested were 1h0m0s", test.want)
				return
			}
			if _, err := c.assume(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBareAnswers: MinIO's answer has no role, which is accepted; answers without keys
// or expiration are refused.
func TestBareAnswers(t *testing.T) {
	t.Parallel()
	const keys = "<AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalrXUtnFEMIK7MDENGbPxRfiCY</SecretAccessKey><SessionToken>IQoJb3JpZ2luX2VjEJr</SessionToken>"
	expiry := "<Expiration>" + fakests.Expires(time.Now().Add(time.Hour)) + "</Expiration>"
	for name, test := range map[string]struct{ result, want string }{
		"no role":        {"<Credentials>" + keys + expiry + "</Credentials>", ""},
		"an empty role":  {"<AssumedRoleUser><Arn></Arn></AssumedRoleUser><Credentials>" + keys + expiry + "</Credentials>", ""},
		"no credentials": {"", "returned no credentials"},
		"no expiry":      {"<Credentials>" + keys + "</Credentials>", "returned no credentials, or none with an expiration"},
		"no keys":        {"<Credentials>" + expiry + "</Credentials>", "access key id must have"},
		"odd expiry":     {"<Credentials>" + keys + "<Expiration>tomorrow</Expiration></Credentials>", "is not from STS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCall(t, func(x *fakests.Exchange) {
				x.Header().Set("Content-Type", "text/xml")
				_, _ = x.Write([]byte("<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>" + test.result +
					"</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"))
			})
			if test.want != "" {
				c.refused(t, fault.Infrastructure, -1, test.want)
				return
			}
			if _, err := c.assume(t); err != nil {
				t.Error(err)
			}
		})
	}
}
