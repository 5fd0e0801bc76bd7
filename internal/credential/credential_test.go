package credential_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/internal/credential"
	"rolecall/internal/version"
	"rolecall/test/kit"
)

const (
	urlVariable   = "ROLECALL_ENDPOINT="
	tokenVariable = "ROLECALL_ENDPOINT_TOKEN="
	token         = "0123456789abcdefghijklmnopqrstuv"
	served        = `{"AccessKeyId":"ASIAX","SecretAccessKey":"s/x+","Token":"t\"","Expiration":"2031-02-03T04:05:06Z"}`
)

// serve runs the program and returns what it has printed.
func serve(environ []string, args ...string) (code int, out, problems string) {
	var o, p strings.Builder
	code = credential.Serve(args, environ, nil, &o, &p)
	return code, o.String(), p.String()
}

// environOf returns the environment of a script whose endpoint is at url.
func environOf(url string) []string { return []string{urlVariable + url, tokenVariable + token} }

// listen starts a server that does that with each connection.
func listen(t *testing.T, does func(net.Conn)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	kit.Must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			does(conn)
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

// expectRefused checks that the program has printed no credential, and why.
func expectRefused(t *testing.T, name, want string, environ []string, args ...string) {
	t.Helper()
	code, out, problems := serve(environ, args...)
	if code != 1 || out != "" || !strings.HasPrefix(problems, "rolecall: "+want) || strings.Count(problems, "\n") != 1 || strings.Contains(problems, token) {
		t.Errorf("%s: exit code %d, %q, %q, want %q", name, code, out, problems, want)
	}
}

// TestServe: what the endpoint answers is printed in the form of a credential_process.
func TestServe(t *testing.T) {
	t.Parallel()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Header["Authorization"]))
		_, _ = io.WriteString(w, served)
	}))
	defer server.Close()
	const want = `{"Version":1,"AccessKeyId":"ASIAX","SecretAccessKey":"s/x+","SessionToken":"t\"","Expiration":"2031-02-03T04:05:06Z"}` + "\n"
	if code, out, problems := serve(environOf(server.URL), "audit-2"); code != 0 || out != want || problems != "" {
		t.Errorf("exit code %d, %q, %q", code, out, problems)
	}
	if len(asked) != 1 || asked[0] != "GET /aws/audit-2 ["+token+"]" {
		t.Errorf("asked %q", asked)
	}
	if code, out, problems := serve(nil, "--version"); code != 0 || out != "rolecall credential "+version.Version+"\n" || problems != "" {
		t.Errorf("--version: exit code %d, %q, %q", code, out, problems)
	}
}

// TestForever: a credential that does not expire has no time at which it does.
func TestForever(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"AccessKeyId":"A","SecretAccessKey":"S"}`)
	}))
	defer server.Close()
	if code, out, _ := serve(environOf(server.URL), "a"); code != 0 || strings.Contains(out, "Expiration") {
		t.Errorf("exit code %d, %q", code, out)
	}
}

// TestNames: what is no name of a credential is not asked for.
func TestNames(t *testing.T) {
	t.Parallel()
	url := listen(t, func(net.Conn) { t.Error("the endpoint was asked") })
	const want = "credential has one argument, the name of a credential"
	for _, args := range [][]string{nil, {""}, {"a", "b"}, {"a/b"}, {"../x"}, {"A"}, {"a b"}, {"a\r\nX: y"}, {"--version", "x"}, {"a?b"}, {"ä"}} {
		expectRefused(t, fmt.Sprintf("%q", args), want, environOf(url), args...)
	}
}

// TestVariables: without the variables of a script, and with others than run sets, nobody is
// asked, and nobody gets the token.
func TestVariables(t *testing.T) {
	t.Parallel()
	url := listen(t, func(net.Conn) { t.Error("the endpoint was asked") })
	port := url[strings.LastIndexByte(url, ':')+1:]
	for name, odd := range map[string]string{
		"none": "", "another host": "http://evil.example:" + port, "https": "https://127.0.0.1:" + port, "a path": url + "/x",
		"no port": "http://127.0.0.1:", "port 0": "http://127.0.0.1:0", "a large port": "http://127.0.0.1:65536", "below 0": "http://127.0.0.1:-1",
		"a user": "http://127.0.0.1:" + port + "@evil.example:80",
	} {
		expectRefused(t, name, "the variable ROLECALL_ENDPOINT is not the URL of an endpoint; credentials are there only in script", environOf(odd), "a")
	}
	expectRefused(t, "no variables", "the variable ROLECALL_ENDPOINT is not", nil, "a")
	for name, odd := range map[string]string{"no token": "", "a CR": "x\rX: y", "a line": "x\nX: y"} {
		expectRefused(t, name, "ask for the credentials a: the variable ROLECALL_ENDPOINT_TOKEN has no token", []string{urlVariable + url, tokenVariable + odd}, "a")
	}
}

// TestRefusals: why the endpoint gives no credential is told, and the exit code says it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"no such name":         {404, `{"code":"NotFound","message":"rolecall: no credentials of that name"}`, "the endpoint has answered 404: no credentials of that name"},
		"expired":              {503, `{"code":"ExpiredToken","message":"rolecall: the AWS credentials expired"}`, "the endpoint has answered 503: the AWS credentials expired"},
		"refused with a key":   {403, served, "the endpoint has answered 403: "},
		"garbage":              {200, "<html>", "the endpoint has answered 200, and no JSON"},
		"nothing":              {200, "", "the endpoint has answered 200, and no JSON"},
		"more than a megabyte": {200, strings.Repeat(" ", 2<<20) + served, "the endpoint has answered 200, and no JSON"},
		"no id":                {200, `{"SecretAccessKey":"s"}`, "the endpoint has answered 200: "},
		"no key":               {200, `{"AccessKeyId":"s"}`, "the endpoint has answered 200: "},
		"an empty object":      {200, `{}`, "the endpoint has answered 200: "},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		}))
		expectRefused(t, name, test.want, environOf(server.URL), "a")
		server.Close()
	}
}

// TestRaw: what is no answer of HTTP, or ends early, is an error.
func TestRaw(t *testing.T) {
	t.Parallel()
	const what = "ask for the credentials a: "
	for name, test := range map[string]struct{ text, want string }{
		"closed":         {"", what + "EOF"},
		"no line":        {"HTTP/1.0 200 OK", what + "EOF"},
		"no HTTP":        {"SSH-2.0 200\r\n\r\n" + served, what + "the answer is not one of HTTP"},
		"no status":      {"HTTP/1.0\r\n\r\n" + served, what + "the answer is not one of HTTP"},
		"a word":         {"HTTP/1.0 OK\r\n\r\n" + served, what + `strconv.Atoi: parsing "OK"`},
		"within headers": {"HTTP/1.0 200 OK\r\nX: y\r\n", what + "EOF"},
	} {
		url := listen(t, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, test.text)
		})
		expectRefused(t, name, test.want, environOf(url), "a")
	}
}

// TestNobody: where nobody listens that is an error.
func TestNobody(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	kit.Must(t, err)
	url := "http://" + listener.Addr().String()
	kit.Must(t, listener.Close())
	expectRefused(t, "nobody", "ask for the credentials a: connection refused", environOf(url), "a")
}

// TestSlow: an endpoint that does not answer holds up a tool for the time of a step, 10 seconds.
func TestSlow(t *testing.T) {
	t.Parallel()
	end := make(chan struct{})
	url := listen(t, func(net.Conn) { <-end })
	giveUp := time.AfterFunc(time.Minute, func() { close(end) })
	expectRefused(t, "slow", "ask for the credentials a: read endpoint: resource temporarily unavailable", environOf(url), "a")
	if giveUp.Stop() {
		close(end)
	}
}

// full is a writer to a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

// TestFull: a credential that cannot be printed is an error.
func TestFull(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, served) }))
	defer server.Close()
	var problems strings.Builder
	if code := credential.Serve([]string{"a"}, environOf(server.URL), nil, full{}, &problems); code != 1 || problems.String() != "rolecall: the disk is full\n" {
		t.Errorf("exit code %d, %q", code, problems.String())
	}
}
