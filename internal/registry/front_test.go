package registry_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"rolecall/test/kit"
	"rolecall/test/lab"
)

// front stands before a real registry and does what a registry does not do by itself. It
// passes on what does leaves alone.
type front struct {
	*httptest.Server
	does  func(w http.ResponseWriter, r *http.Request) bool
	pass  *httputil.ReverseProxy
	asked atomic.Int32 // for what a name stands for
}

// before starts a front before a registry. A test sets does.
func before(t *testing.T, r *lab.Registry, serve func(http.Handler) *httptest.Server) *front {
	t.Helper()
	there, err := url.Parse("http://" + r.Address)
	kit.Must(t, err)
	f := &front{pass: httputil.NewSingleHostReverseProxy(there)}
	f.Server = serve(f)
	t.Cleanup(f.Close)
	return f
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "/manifests/") {
		f.asked.Add(1)
	}
	if !f.does(w, r) {
		f.pass.ServeHTTP(w, r)
	}
}

// name returns the name of an image at the front.
func (f *front) name(image string) string { return f.Listener.Addr().String() + "/" + image }

// answer answers a part of all requests with a status.
func answer(part string, status int, body string, header ...string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
		return true
	}
}

// first does so for the first requests only.
func first(n int32, does func(http.ResponseWriter, *http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	var done atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) bool {
		return strings.Contains(r.URL.Path, "/manifests/") && done.Add(1) <= n && does(w, r)
	}
}

// endless answers without an end, until the client goes away.
func endless(part string, status int, contentType string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		for block := make([]byte, 1<<16); r.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return true
			}
		}
		return true
	}
}
