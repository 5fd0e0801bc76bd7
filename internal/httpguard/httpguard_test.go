package httpguard_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/httpguard"
	"rolecall/test/kit"
)

// serve returns a server with this answer.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return server
}

// newGuard returns a guard for the test's servers.
func newGuard(attempt time.Duration) *httpguard.Guard {
	return httpguard.New(&http.Transport{}, attempt)
}

// get requests a URL.
func get(t *testing.T, g *httpguard.Guard, url string) (status int, body string, err error) {
	t.Helper()
	response, err := g.Client().Get(url)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

func TestPlain(t *testing.T) {
	t.Parallel()
	g := newGuard(time.Second)
	for i, host := range []string{"example.com", "0.0.0.0:1", "192.0.2.1", "[2001:db8::1]:80", "127.0.0.1.example.com", "localhost.example.com", "2130706433"} {
		if _, _, err := get(t, g, "http://"+host+"/keys"); !errors.Is(err, httpguard.ErrPlain) || g.Host() != host || g.Tries() != i+1 {
			t.Errorf("%s: %v, at %s, %d tries", host, err, g.Host(), g.Tries())
		}
	}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) })
	for _, host := range []string{"127.0.0.1", "localhost"} {
		if _, body, err := get(t, g, strings.Replace(server.URL, "127.0.0.1", host, 1)); err != nil || body != "HTTP/1.1" {
			t.Errorf("%s: %q, %v", host, body, err)
		}
	}
}

func TestRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	server := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	if status, _, err := get(t, newGuard(time.Second), server.URL); err != nil || status != http.StatusFound {
		t.Errorf("status %d, %v", status, err)
	}
}

func TestMaxAnswer(t *testing.T) {
	t.Parallel()
	for _, size := range []int{httpguard.MaxAnswer, httpguard.MaxAnswer + 1, 8 << 20} {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, strings.Repeat("x", size)) })
		if _, body, err := get(t, newGuard(5*time.Second), server.URL); err != nil || len(body) != httpguard.MaxAnswer {
			t.Errorf("of %d bytes came %d, %v", size, len(body), err)
		}
	}
}

// TestBound: the bound of an answer can be another one.
func TestBound(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 3*httpguard.MaxAnswer))
	})
	for _, bound := range []int64{1, 2 * httpguard.MaxAnswer} {
		if _, body, err := get(t, newGuard(5*time.Second).Bound(bound), server.URL); err != nil || int64(len(body)) != bound {
			t.Errorf("of a bound of %d bytes came %d, %v", bound, len(body), err)
		}
	}
}

// TestTogether: several goroutines can make requests. The race detector sees if not.
func TestTogether(t *testing.T) {
	t.Parallel()
	server := serve(t, func(http.ResponseWriter, *http.Request) {})
	g := newGuard(5 * time.Second)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, _, err := get(t, g, server.URL); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if g.Tries() != 8 || g.Host() != strings.TrimPrefix(server.URL, "http://") {
		t.Errorf("%d tries, the last at %s", g.Tries(), g.Host())
	}
}

// TestAttempt: a request ends in time if the server is silent or its answer never ends.
func TestAttempt(t *testing.T) {
	t.Parallel()
	for name, begins := range map[string]bool{"silence": false, "half an answer": true} {
		server := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if begins {
				_, _ = io.WriteString(w, "half")
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		begin := time.Now()
		_, _, err := get(t, newGuard(200*time.Millisecond), server.URL)
		if took := time.Since(begin); err == nil || took < 150*time.Millisecond || took > 3*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}

// TestProxy: the proxy gets no request for this host.
func TestProxy(t *testing.T) {
	t.Parallel()
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, r.Method, http.StatusTeapot) })
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "direct") })
	address, err := url.Parse(proxy.URL)
	kit.Must(t, err)
	g := httpguard.New(&http.Transport{Proxy: http.ProxyURL(address)}, time.Second)
	if _, body, err := get(t, g, server.URL); err != nil || body != "direct" {
		t.Errorf("%q, %v", body, err)
	}
	if _, _, err := get(t, g, "https://example.com"); err == nil || !strings.Contains(err.Error(), "teapot") {
		t.Errorf("the proxy was not asked: %v", err)
	}
}

// TestHTTP1: a server that also speaks HTTP/2 is asked by HTTP/1.1, also through a clone of a
// transport that would offer HTTP/2, as the SDK of AWS gives one.
func TestHTTP1(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = true
	answer, err := httpguard.New(transport.Clone(), time.Minute).Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || string(text) != "HTTP/1.1" {
		t.Errorf("%q, %v", text, err)
	}
}
