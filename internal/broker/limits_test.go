package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// dial connects to the broker, from a loopback address.
func (w *world) dial(from string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	return d.DialContext(w.t.Context(), "tcp", strings.TrimPrefix(w.URL, "http://"))
}

// TestRawRequests: what no SDK sends gets a short answer, or none.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	const begin = "GET /v1/aws/alpha HTTP/1.1\r\nHost: x\r\n"
	for name, test := range map[string]struct{ request, want string }{
		"1 MB of headers":       {begin + "X: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "HTTP/1.1 431 "},
		"a token of 1 MB":       {begin + "Authorization: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", "HTTP/1.1 431 "},
		"a token of 17 KB":      {begin + "Authorization: " + strings.Repeat("x", 17<<10) + "\r\n\r\n", "HTTP/1.1 401 "},
		"CR in the token":       {begin + "Authorization: " + token[:9] + "\r" + token[9:] + "\r\n\r\n", "HTTP/1.1 400 "},
		"LF in the token":       {begin + "Authorization: " + token[:9] + "\n" + token[9:] + "\r\n\r\n", "HTTP/1.1 400 "},
		"NUL in the token":      {begin + "Authorization: " + token[:9] + "\x00" + token[9:] + "\r\n\r\n", "HTTP/1.1 400 "},
		"a token on two lines":  {begin + "Authorization: " + token[:9] + "\r\n " + token[9:] + "\r\n\r\n", "HTTP/1.1 401 "},
		"two tokens":            {begin + "Authorization: " + token + "\r\nauthorization: " + token + "\r\n\r\n", "HTTP/1.1 401 "},
		"a whole URL":           {"GET http://x/v1/aws/alpha HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n\r\n", "HTTP/1.1 404 "},
		"a fragment":            {"GET /v1/aws/alpha#x HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n\r\n", "HTTP/1.1 404 "},
		"an asterisk":           {"OPTIONS * HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n\r\n", "HTTP/1.1 405 "},
		"HEAD":                  {"HEAD /v1/aws/alpha HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n\r\n", "HTTP/1.1 405 "},
		"CONNECT":               {"CONNECT /v1/aws/alpha HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\n\r\n", "HTTP/1.1 405 "},
		"no HTTP":               {"\x16\x03\x01 hello\r\n\r\n", "HTTP/1.1 400 "},
		"control: it is a body": {begin + "Content-Length: 3\r\nAuthorization: " + token + "\r\n\r\nabc", "HTTP/1.1 200 "},
	} {
		connection, err := w.dial("127.0.0.1")
		kit.Must(t, err)
		go func() { _, _ = io.WriteString(connection, test.request) }()
		line, err := bufio.NewReader(connection).ReadString('\n')
		if !strings.HasPrefix(line, test.want) {
			t.Errorf("%s: %q, %v, want %q", name, line, err, test.want)
		}
		_ = connection.Close()
	}
	if log := w.log.String(); strings.Contains(log, token[:9]) {
		t.Errorf("the log:\n%s", log)
	}
}

// TestSlowHeaders: who sends a request too slowly loses the connection.
func TestSlowHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	connection, err := w.dial("127.0.0.1")
	kit.Must(t, err)
	defer func() { _ = connection.Close() }()
	began := time.Now()
	go func() {
		for _, c := range "GET /v1/aws/alpha HTTP/1.1\r\nX: " + strings.Repeat("x", 1000) {
			if _, err := connection.Write([]byte(string(c))); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	kit.Must(t, connection.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, _ = io.Copy(io.Discard, connection)
	if took := time.Since(began); took < time.Second || took > 15*time.Second {
		t.Errorf("the connection lasted %v", took)
	}
}

// TestConnections: 5,000 connections of one address leave room for those of another.
func TestConnections(t *testing.T) {
	var limit syscall.Rlimit
	kit.Must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < 12_000 {
		t.Skipf("NOT TESTED, at most %d files can be open", limit.Cur)
	}
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	w.settled("/v1/aws/alpha", token).keyOf(t)
	all := make([]net.Conn, 0, 5000)
	defer func() {
		for _, c := range all {
			_ = c.Close()
		}
	}()
	answers := 0
	for i := range 5000 {
		c, err := w.dial("127.0.0.1")
		kit.Must(t, err)
		all = append(all, c)
		if i > 1200 {
			continue
		}
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if line, err := bufio.NewReader(c).ReadString('\n'); err == nil && strings.HasPrefix(line, "HTTP/1.1 404 ") {
			answers++
		}
	}
	if answers < 1000 || answers > 1024 {
		t.Errorf("%d connections of an address stay open", answers)
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return w.dial("127.0.0.2") }}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/v1/aws/alpha", nil)
	kit.Must(t, err)
	request.Header.Set("Authorization", token)
	response, err := client.Do(request)
	kit.Must(t, err)
	_ = response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("another client gets %d", response.StatusCode)
	}
	client.CloseIdleConnections()
	for _, c := range all {
		_ = c.Close()
	}
	kit.Await(t, "a connection of the first address", func() bool {
		r, err := http.DefaultClient.Do(request.Clone(t.Context()))
		if err == nil {
			_ = r.Body.Close()
		}
		return err == nil && r.StatusCode == 200
	})
}

// answered returns the status of the answer to a request of an address, without a network.
func (w *world) answered(address, path, token string) int {
	request := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil)
	request.RemoteAddr = address
	request.Header.Set("Authorization", token)
	recorder := httptest.NewRecorder()
	w.Handler().ServeHTTP(recorder, request)
	return recorder.Code
}

// TestAddressRefused: an address whose tokens fail and fail gets no new one looked at for a while.
// What is kept for it is an answer, and so is all for other addresses.
func TestAddressRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	const bad, good = "[2001:db8::1]:1", "[2001:db8:0:1::1]:1"
	kept := w.token(7, nil)
	w.settled("/v1/aws/alpha", kept).keyOf(t)
	last := 0
	for i := 0; i < 2000 && last != 429; i++ {
		last = w.answered(bad, "/v1/aws/alpha", fmt.Sprint("x", i))
	}
	if last != 429 {
		t.Fatalf("after 2,000 tokens: %d", last)
	}
	if status := w.answered("[2001:db8::ffff]:1", "/v1/aws/alpha", "y"); status != 429 {
		t.Errorf("another address of the same network: %d", status)
	}
	if status := w.answered(bad, "/v1/aws/alpha", kept); status != 200 {
		t.Errorf("what is kept: %d", status)
	}
	if status := w.answered(good, "/v1/aws/alpha", "z"); status != 401 {
		t.Errorf("another network: %d", status)
	}
	kit.Await(t, "the address is looked at again", func() bool { return w.answered(bad, "/v1/aws/alpha", "again") == 401 })
}

// TestUnknownKeys: tokens of a key that the issuer does not have wait for its keys. They count when
// they are refused, and others are served.
func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	w.settled("/v1/aws/alpha", w.token(7, nil)).keyOf(t)
	forger, err := coordinator.Start()
	kit.Must(t, err)
	defer forger.Close()
	var asking sync.WaitGroup
	for i := range 300 {
		token := forger.SignToken(map[string]any{"iss": w.gitlab.Issuer(), "aud": audience, "job_id": fmt.Sprint(i), "project_id": "42", "exp": time.Now().Unix() + 3600})
		asking.Go(func() { w.answered("10.0.0.1:1", "/v1/aws/alpha", token) })
	}
	asking.Wait()
	w.settled("/v1/aws/alpha", w.token(8, nil)).keyOf(t)
	tries := 0
	kit.Await(t, "the address is refused", func() bool {
		tries++
		return w.answered("10.0.0.1:1", "/v1/aws/alpha", fmt.Sprint("x", tries)) == 429
	})
	if tries > 250 {
		t.Errorf("%d more tokens were looked at", tries)
	}
	w.settled("/v1/aws/alpha", w.token(9, nil)).keyOf(t)
}
