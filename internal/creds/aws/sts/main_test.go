package sts_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/sts"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/test/fakests"
)

// role is the role that the tests request.
const role = "arn:aws:iam::111122223333:role/ci/deploy"

// rawToken is the ID token. It is long, so that a test recognises any part of it in an
// error.
var rawToken = "eyJhbGciOiJSUzI1NiJ9." + strings.Repeat("cGF5bG9hZA", 90) + "." + strings.Repeat("c2lnbmF0dXJl", 20)

// bySession holds the fake STS of each test, so that tests can run side by side
// though the SDK reads one address from the process's environment.
var bySession sync.Map

func TestMain(m *testing.M) {
	if os.Getenv(childMode) != "" {
		os.Exit(child())
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if upper := strings.ToUpper(name); strings.HasPrefix(upper, "AWS_") || strings.HasSuffix(upper, "_PROXY") {
			_ = os.Unsetenv(name)
		}
	}
	router := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		_ = r.ParseForm()
		r.Body = io.NopCloser(bytes.NewReader(body)) // the fake STS checks its signature
		if server, ok := bySession.Load(r.Form.Get("RoleSessionName")); ok {
			server.(*fakests.Server).ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusTeapot)
	}))
	_ = os.Setenv("AWS_ENDPOINT_URL_STS", router.URL)
	_ = os.Setenv("AWS_REGION", "eu-central-1")
	code := m.Run()
	router.Close()
	os.Exit(code)
}

// call is one call of Assume and the STS that answers it.
type call struct {
	client  sts.Client
	request sts.Request
	server  *fakests.Server
}

// newCall returns a call to a fake STS with these answers.
func newCall(t *testing.T, answers ...fakests.Answer) *call {
	t.Helper()
	server, err := fakests.Start(answers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	c := &call{sts.NewClient(), newRequest(t), server}
	bySession.Store(c.request.Session, server)
	return c
}

// newRequest returns a request whose session is named after the test.
func newRequest(t *testing.T) sts.Request {
	t.Helper()
	r := sts.Request{Role: parseRole(t, role), Session: strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())}
	r.Token = idtoken.Token{Raw: mask.NewSecret(rawToken)}
	r.Token.Claims.Issuer = "https://gitlab.example.com"
	r.Token.Claims.Subject = "project_path:g/p:ref_type:branch:ref:main"
	r.Token.Claims.Audience = []string{"https://aws.example.com"}
	return r
}

// parseRole parses a valid role.
func parseRole(t *testing.T, text string) aws.Role {
	t.Helper()
	r, err := aws.ParseRole(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// assume makes the call.
func (c *call) assume(t *testing.T) (creds.Credential, error) {
	t.Helper()
	begin := time.Now()
	result, err := c.client.Assume(t.Context(), c.request)
	if took := time.Since(begin); took > c.client.Deadline+2*time.Second {
		t.Errorf("Assume took %v, its deadline is %v", took, c.client.Deadline)
	}
	clean(t, err)
	return result, err
}

// clean checks that an error holds no part of the token.
func clean(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, part := range []string{rawToken[:25], rawToken[40:60], rawToken[len(rawToken)-20:]} {
		if strings.Contains(said(err), part) {
			t.Errorf("the error holds a part of the token: %v", err)
		}
	}
}

// refused makes the call, and checks the side and the text of its error and the number
// of requests.
func (c *call) refused(t *testing.T, side fault.Side, requests int, want ...string) {
	t.Helper()
	_, err := c.assume(t)
	if err == nil {
		t.Fatal("no error")
	}
	if got := fault.SideOf(err); got != side {
		t.Errorf("the error is one of %s, want %s: %v", got, side, err)
	}
	for _, text := range want {
		if !strings.Contains(said(err), text) {
			t.Errorf("%q does not say %q", said(err), text)
		}
	}
	if got := len(c.server.Requests()); requests >= 0 && got != requests {
		t.Errorf("%d requests, want %d: %v", got, requests, err)
	}
	if strings.Contains(said(err), leak) {
		t.Errorf("the error holds a part of STS's answer: %v", err)
	}
	if own := new(fault.Error); errors.As(err, &own) && own.What == nil {
		t.Error("the error does not say what is wrong")
	}
}

// said returns all that an error says, its rows included.
func said(err error) string {
	text := err.Error()
	if own, ok := errors.AsType[*fault.Error](err); ok {
		for _, row := range own.Rows {
			text += "\n" + row.Label + ": " + row.Text
		}
		text += "\n" + own.Trace + "\nanswer: " + own.Answer.Code + " " + own.Answer.Request
	}
	return text
}

// leak is in the messages of the fake STS, which no error may show.
const leak = "from-the-body"
