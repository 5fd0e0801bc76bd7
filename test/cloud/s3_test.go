package cloud_test

import (
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
	"rolecall/test/signature"
)

// call is a request to S3, before a test spoils it.
type call struct {
	side         side
	keys         aws.Credentials
	at           time.Time
	service      string // that the signature is for
	method, path string
	text         string // that is signed
	headers      map[string]string
	sent         func(*http.Request) // after it was signed
}

// keysOf returns a session of alpha.
func keysOf(t *testing.T, gitlab *coordinator.Server, on side) aws.Credentials {
	t.Helper()
	got, text := newAsk(gitlab, on).send(t)
	if got.code != "" {
		t.Fatal(text)
	}
	var answer struct {
		KeyID  string `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	}
	kit.Must(t, xml.Unmarshal([]byte(text), &answer))
	return aws.Credentials{AccessKeyID: answer.KeyID, SecretAccessKey: answer.Secret, SessionToken: answer.Token}
}

// send signs the request and sends it.
func (c *call) send(t *testing.T) (verdict, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), c.method, c.side.url+c.path, strings.NewReader(c.text))
	kit.Must(t, err)
	hash := signature.Hash([]byte(c.text))
	request.Header.Set("X-Amz-Content-Sha256", hash)
	for name, value := range c.headers {
		request.Header.Set(name, value)
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	kit.Must(t, signer.SignHTTP(t.Context(), c.keys, request, hash, cmp.Or(c.service, "s3"), "us-east-1", c.at))
	if c.sent != nil {
		c.sent(request)
	}
	return judge(t, request)
}

// body replaces the body of a request.
func body(request *http.Request, text string) {
	request.Body, request.ContentLength, request.GetBody = io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
}

// stored is a row of the table: what is wrong with a request, and what S3 says. MinIO says the
// same unless it is apart.
type stored struct {
	spoil func(*call)
	want  verdict
	apart bool
}

func calls() map[string]stored {
	ok, denied := verdict{200, ""}, verdict{403, "AccessDenied"}
	after := func(change func(*http.Request)) func(*call) { return func(c *call) { c.sent = change } }
	path := func(method, path string) func(*call) { return func(c *call) { c.method, c.path = method, path } }
	return map[string]stored{
		"right":                  {func(*call) {}, ok, false},
		"a name to escape":       {path("PUT", "/alpha/a%20b%2Bc/%C3%A4"), ok, false},
		"another bucket":         {path("PUT", "/beta/key"), denied, false},
		"to read another bucket": {path("GET", "/beta/key"), denied, false},
		"no object":              {path("GET", "/alpha/none"), verdict{404, "NoSuchKey"}, false},
		"another secret":         {func(c *call) { c.keys.SecretAccessKey += "x" }, verdict{403, "SignatureDoesNotMatch"}, false},
		"another key":            {func(c *call) { c.keys.AccessKeyID = "ASIAIOSFODNN7EXAMPLE" }, verdict{403, "InvalidAccessKeyId"}, false},
		"no session token":       {func(c *call) { c.keys.SessionToken = "" }, verdict{403, "InvalidAccessKeyId"}, true},
		"another session token":  {func(c *call) { c.keys.SessionToken += "x" }, verdict{400, "InvalidToken"}, true},
		"a slow clock":           {func(c *call) { c.at = c.at.Add(-16 * time.Minute) }, verdict{403, "RequestTimeTooSkewed"}, false},
		"a fast clock":           {func(c *call) { c.at = c.at.Add(16 * time.Minute) }, verdict{403, "RequestTimeTooSkewed"}, false},
		"a clock nearly right":   {func(c *call) { c.at = c.at.Add(-14 * time.Minute) }, ok, false},
		"not signed":             {after(func(r *http.Request) { r.Header.Del("Authorization") }), denied, false},
		"signed for STS":         {func(c *call) { c.service = "sts" }, denied, true},
		"a bucket alone":         {path("PUT", "/alpha"), verdict{501, "NotImplemented"}, true},
		"another body":           {after(func(r *http.Request) { body(r, "TEXT") }), verdict{400, "XAmzContentSHA256Mismatch"}, false},
		"another body and its sum": {after(func(r *http.Request) {
			body(r, "TEXT")
			r.Header.Set("X-Amz-Content-Sha256", signature.Hash([]byte("TEXT")))
		}), verdict{403, "SignatureDoesNotMatch"}, false},
		"another path":   {after(func(r *http.Request) { r.URL.Path = "/alpha/other" }), verdict{403, "SignatureDoesNotMatch"}, false},
		"another method": {after(func(r *http.Request) { r.Method = "GET"; body(r, "") }), verdict{403, "SignatureDoesNotMatch"}, true},
		"another signed header": {func(c *call) {
			c.headers = map[string]string{"X-Amz-Meta-A": "1"}
			c.sent = func(r *http.Request) { r.Header.Set("X-Amz-Meta-A", "2") }
		}, verdict{403, "SignatureDoesNotMatch"}, false},
		"a header not signed": {after(func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }), denied, true},
		"an expired session":  {func(c *call) { c.side.account.Advance(61 * time.Minute); c.at = c.side.account.Now() }, verdict{400, "ExpiredToken"}, true},
		"half an object":      {func(c *call) { c.method, c.text, c.headers = "GET", "", map[string]string{"Range": "bytes=0-1"} }, verdict{501, "NotImplemented"}, true},
		"a list of objects":   {path("GET", "/alpha?list-type=2"), verdict{501, "NotImplemented"}, true},
		"to delete":           {path("DELETE", "/alpha/key"), verdict{501, "NotImplemented"}, true},
	}
}

// TestS3 holds the stand-in against the table, and the table against MinIO.
func TestS3(t *testing.T) {
	t.Parallel()
	gitlab := startGitLab(t)
	held := 0
	for name, row := range calls() {
		on := own(t, gitlab)
		c := &call{side: on, keys: keysOf(t, gitlab, on), at: time.Now(), method: "PUT", path: "/alpha/key", text: "text"}
		row.spoil(c)
		if got, text := c.send(t); got != row.want {
			t.Errorf("own, %s: got %v, want %v: %s", name, got, row.want, text)
		}
	}
	real := minio(t, gitlab)
	for name, row := range calls() {
		if row.apart {
			continue
		}
		held++
		c := &call{side: real, keys: keysOf(t, gitlab, real), at: time.Now(), method: "PUT", path: "/alpha/key", text: "text"}
		row.spoil(c)
		if got, text := c.send(t); got != row.want {
			t.Errorf("MinIO, %s: got %v, want %v: %s", name, got, row.want, text)
		}
	}
	if held < 14 {
		t.Errorf("MinIO is asked only %d times", held)
	}
}

// TestClient: the client of the demo's jobs puts and gets, and hears of refusals.
func TestClient(t *testing.T) {
	t.Parallel()
	gitlab := startGitLab(t)
	programs, err := lab.Parts()
	kit.Must(t, err)
	on := own(t, gitlab)
	keys := keysOf(t, gitlab, on)
	s3job := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), programs.S3Job, append([]string{"-endpoint", on.url}, args...)...)
		cmd.Env = []string{
			"HOME=" + os.DevNull, "AWS_REGION=us-east-1",
			"AWS_ACCESS_KEY_ID=" + keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + keys.SecretAccessKey, "AWS_SESSION_TOKEN=" + keys.SessionToken,
		}
		out, _ := cmd.CombinedOutput() // A failure shows in what it printed.
		return string(out)
	}
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"put", "alpha", "a/release.txt", "deployed by alpha"}, ""},
		{[]string{"get", "alpha", "a/release.txt"}, "deployed by alpha"},
		{[]string{"put", "beta", "release.txt", "x"}, "s3job: AccessDenied: Access Denied.\n"},
		{[]string{"get", "beta", "release.txt"}, "s3job: AccessDenied: Access Denied.\n"},
	} {
		if got := s3job(step.args...); got != step.want {
			t.Errorf("s3job %v printed %q, want %q", step.args, got, step.want)
		}
	}
}
