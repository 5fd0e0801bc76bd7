package serve_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/endpoint"
	"rolecall/internal/endpoint/serve"
	"rolecall/test/kit"
)

// TestRequests: only the request that SDKs send is answered with a credential.
func TestRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *endpoint.Order) { o.Also = []string{idToken} }, issued("", 0, time.Hour, 0), issued("audit", 0, time.Hour, 0))
	for name, test := range map[string]struct {
		method, path string
		tokens       []string
		status       int
		want         string
	}{
		"the default":          {"GET", "/cloud/default", []string{token}, 200, `{"word":"secret-word-0000-"}`},
		"another":              {"GET", "/cloud/audit", []string{token}, 200, `{"word":"secret-word-0000-audit"}`},
		"what a variable has":  {"GET", "/cloud/default", []string{idToken}, 200, `{"word":"secret-word-0000-"}`},
		"no token":             {"GET", "/cloud/default", nil, 401, `"code":"Unauthorized"`},
		"an empty token":       {"GET", "/cloud/default", []string{""}, 401, `"code":"Unauthorized"`},
		"a wrong token":        {"GET", "/cloud/default", []string{token[1:] + "x"}, 401, `"code":"Unauthorized"`},
		"a longer token":       {"GET", "/cloud/default", []string{token + "x"}, 401, `"code":"Unauthorized"`},
		"as a bearer":          {"GET", "/cloud/default", []string{"Bearer " + token}, 401, `"code":"Unauthorized"`},
		"two tokens":           {"GET", "/cloud/default", []string{token, token}, 401, `"code":"Unauthorized"`},
		"POST":                 {"POST", "/cloud/default", []string{token}, 405, `"code":"MethodNotAllowed"`},
		"HEAD":                 {"HEAD", "/cloud/default", []string{token}, 405, ""},
		"OPTIONS":              {"OPTIONS", "/cloud/default", []string{token}, 405, `"code":"MethodNotAllowed"`},
		"no such name":         {"GET", "/cloud/deploy", []string{token}, 404, `"code":"NotFound"`},
		"the root":             {"GET", "/", []string{token}, 404, `"code":"NotFound"`},
		"two slashes":          {"GET", "//cloud/default", []string{token}, 404, `"code":"NotFound"`},
		"a slash at its end":   {"GET", "/cloud/default/", []string{token}, 404, `"code":"NotFound"`},
		"up":                   {"GET", "/cloud/x/../default", []string{token}, 404, `"code":"NotFound"`},
		"encoded":              {"GET", "/cloud/%64efault", []string{token}, 404, `"code":"NotFound"`},
		"with a query":         {"GET", "/cloud/default?x", []string{token}, 404, `"code":"NotFound"`},
		"POST without a token": {"POST", "/cloud/default", nil, 401, `"code":"Unauthorized"`},
	} {
		status, body := w.ask(test.method, test.path, test.tokens...)
		if status != test.status || !strings.Contains(body, test.want) || status != 200 && strings.Contains(body, "secret-word") {
			t.Errorf("%s: %d %s, want %d and %s", name, status, body, test.status, test.want)
		}
	}
}

// TestRawRequests: what is no request of HTTP gets no credential, and does not stop others.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, issued("", 0, time.Hour, 0))
	for name, text := range map[string]string{
		"a line break in the token": "GET /cloud/default HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\rX\r\n\r\n",
		"a megabyte of headers":     "GET /cloud/default HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n",
		"another host in the path":  "GET http://evil.example/cloud/default HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n\r\n",
		"no HTTP":                   "\x16\x03\x01 hello\r\n\r\n",
		"HTTP/0.9":                  "GET /cloud/default\r\n\r\n",
	} {
		conn, err := net.Dial("tcp4", strings.TrimPrefix(w.url, "http://"))
		kit.Must(t, err)
		_, _ = io.WriteString(conn, text)
		kit.Must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		answer, _ := io.ReadAll(io.LimitReader(conn, 1<<16))
		if strings.Contains(string(answer), "secret-word") || strings.HasPrefix(string(answer), "HTTP/1.1 200") {
			t.Errorf("%s: %s", name, answer)
		}
		_ = conn.Close()
	}
	if status, _ := w.get("/cloud/default"); status != 200 {
		t.Errorf("%d after that", status)
	}
}

// TestSilentClients: connections that say nothing hold up nobody, and end.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, issued("", 0, time.Hour, 0))
	var silent []net.Conn
	for range 100 {
		conn, err := net.Dial("tcp4", strings.TrimPrefix(w.url, "http://"))
		kit.Must(t, err)
		silent = append(silent, conn)
	}
	begin := time.Now()
	if status, _ := w.get("/cloud/default"); status != 200 || time.Since(begin) > time.Second {
		t.Errorf("%d after %v beside 100 silent connections", status, time.Since(begin))
	}
	for _, conn := range silent {
		kit.Must(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a silent connection stays")
		}
		_ = conn.Close()
	}
}

// TestManyClients: more connections than the bound are closed at once.
func TestManyClients(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, issued("", 0, time.Hour, 0))
	var open []net.Conn
	for range serve.MaxClients + 20 {
		conn, err := net.Dial("tcp4", strings.TrimPrefix(w.url, "http://"))
		kit.Must(t, err)
		defer func() { _ = conn.Close() }()
		open = append(open, conn)
	}
	kit.Must(t, open[len(open)-1].SetReadDeadline(time.Now().Add(500*time.Millisecond)))
	if _, err := open[len(open)-1].Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("a connection beyond the bound stays")
	}
}

// TestOtherUsers: a client of another user, or of one that is not known, gets nothing, even
// with the right token.
func TestOtherUsers(t *testing.T) {
	t.Parallel()
	for name, users := range map[string][]backend.Users{
		"another":       {{First: 4_000_000_000, Count: 1}},
		"nobody":        nil,
		"just below us": {{First: uint32(os.Geteuid()) + 1, Count: 10}},
	} {
		w := newWorld(t, func(o *endpoint.Order) { o.Users = users }, issued("", 0, time.Hour, 0))
		if status, body := w.get("/cloud/default"); status != 403 || strings.Contains(body, "secret-word") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}
