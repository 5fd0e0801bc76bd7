package lab

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
)

// Front stands before a registry and does what a registry does not do by itself.
type Front struct {
	Address string // host and port, as a name of an image begins

	server *httptest.Server
	asked  atomic.Int32
}

// Does is what a front does with a request. It returns false if the registry is to answer.
type Does func(w http.ResponseWriter, request *http.Request) bool

// StartFront starts a front before the registry. End it with Close.
func (r *Registry) StartFront(does Does) *Front {
	pass := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: r.Address})
	f := &Front{}
	f.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if strings.Contains(request.URL.Path, "/manifests/") {
			f.asked.Add(1)
		}
		if !does(w, request) {
			pass.ServeHTTP(w, request)
		}
	}))
	f.Address = f.server.Listener.Addr().String()
	return f
}

// Asked returns how often the front was asked what a name stands for.
func (f *Front) Asked() int { return int(f.asked.Load()) }

// Close ends the front.
func (f *Front) Close() { f.server.Close() }

// Answer answers requests with that part in their paths with a status, a text, and headers,
// each a name and a value.
func Answer(part string, status int, text string, headers ...string) Does {
	return func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.Contains(request.URL.Path, part) {
			return false
		}
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, text)
		return true
	}
}
