// Package fakecloud stands in for the servers of Google Cloud and of Entra ID that exchange ID
// tokens. It verifies each ID token with the keys that its issuer publishes, and what a provider of
// a pool or an application in Entra ID asks of its claims. Errors are those of the clouds. Whoever
// shows it an access token is told whose it is.
package fakecloud

import (
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
)

// Rules are what the servers know, and what they ask of an ID token.
type Rules struct {
	Issuer   string // whose keys are asked for
	Audience string
	Subject  string // empty: any

	Pool     string   // the only provider of a pool that exists
	Accounts []string // service accounts that exist
	Becomes  []string // those that the job may become

	Tenant, Client string // of Entra ID
}

// Server is a running server.
type Server struct {
	URL    string // of Google, http
	TLSURL string // of Entra ID, https
	CA     []byte // the authority of TLSURL, PEM
	rules  Rules
	close  func()

	mu       sync.Mutex // guards what follows
	requests []Request
	tokens   map[string]string // access tokens, and whose they are
	instead  func(http.ResponseWriter) bool
}

// Request is a request that the server got.
type Request struct {
	Path string
	Form url.Values
	Body string // if it is no form
}

// Start starts the server.
func Start(rules Rules) *Server {
	s := &Server{rules: rules, tokens: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/token", s.google)
	mux.HandleFunc("POST /v1/introspect", s.introspect)
	mux.HandleFunc("POST /v1/projects/-/serviceAccounts/{account}", s.impersonate)
	mux.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", s.discover)
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", s.entra)
	mux.HandleFunc("GET /whoami", s.whoami)
	plain, secure := httptest.NewServer(s.recording(mux)), httptest.NewUnstartedServer(s.recording(mux))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not know the authority are a test
	secure.StartTLS()
	s.URL, s.TLSURL = plain.URL, secure.URL
	s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	s.close = func() { plain.Close(); secure.Close() }
	return s
}

// Close ends the server.
func (s *Server) Close() { s.close() }

// Break lets a function answer requests instead of the server, as long as it returns true.
func (s *Server) Break(answer func(http.ResponseWriter) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.instead = answer
}

// Requests returns the requests that the server got.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Tokens returns the access tokens that were given.
func (s *Server) Tokens() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for token := range s.tokens {
		all = append(all, token)
	}
	return all
}

// recording remembers requests, and breaks them.
func (s *Server) recording(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		one := Request{Path: r.URL.Path, Body: string(body)}
		if r.Header.Get("Content-Type") != "application/json" {
			one.Form, _ = url.ParseQuery(string(body))
		}
		s.mu.Lock()
		s.requests = append(s.requests, one)
		broken := s.instead
		s.mu.Unlock()
		if broken == nil || !broken(w) {
			next.ServeHTTP(w, r)
		}
	})
}

// give returns a new access token of whom.
func (s *Server) give(whom string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	token := "ya29." + rand.Text() + rand.Text()
	s.tokens[token] = whom
	return token
}

// owner returns whose access token a request has, and an empty text if there is none.
func (s *Server) owner(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[token]
}

// bearer returns the token that a request shows.
func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

// whoami tells whose an access token is.
func (s *Server) whoami(w http.ResponseWriter, r *http.Request) {
	if who := s.owner(bearer(r)); who != "" {
		_, _ = io.WriteString(w, "you are "+who)
		return
	}
	http.Error(w, "this access token is nobody's", http.StatusUnauthorized)
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
