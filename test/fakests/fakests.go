// Package fakests is a small stand-in for AWS STS on loopback, for the answers that a real
// one does not give on demand: errors, broken and endless bodies, redirects, silence.
//
// It speaks AssumeRoleWithWebIdentity and AssumeRole on the wire as STS does, so the AWS SDK
// is its client. It does not look at tokens. It answers AssumeRole only if the request is
// signed with the keys of a session that it has issued, and carries that session's token.
package fakests

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Server answers each request with the next of its answers; the last one answers all further
// requests. Its methods may be called concurrently.
type Server struct {
	url  string
	http *http.Server
	life context.Context // ends with Close
	stop context.CancelFunc

	mu       sync.Mutex
	answers  []Answer
	requests []Request
	clock    time.Duration
}

// Request is a request that the server has received, and its result.
type Request struct {
	Time   time.Time
	Header http.Header
	// Form has the parameters: Action, RoleArn, RoleSessionName, DurationSeconds,
	// WebIdentityToken and so on.
	Form url.Values
	// Issued is the credentials in an OK answer, else the zero value.
	Issued Credentials
	// By is the access key id that has signed an AssumeRole, if its signature is right.
	By string
	// Sent is how many bytes of the answer's body the connection took, with its buffers.
	Sent int64
}

// An Answer writes the answer to a request.
type Answer func(x *Exchange)

// Exchange is a request that is being answered.
type Exchange struct {
	http.ResponseWriter
	// Form is the request's parameters.
	Form url.Values
	// Now is the time by the server's clock.
	Now time.Time
	// Gone is closed when the client has gone or the server closes.
	Gone <-chan struct{}

	server *Server
	index  int
}

// Write writes a piece of the body and counts it. Answers need not look at its error: a client
// that is gone needs no answer.
func (x *Exchange) Write(piece []byte) (int, error) {
	n, err := x.ResponseWriter.Write(piece)
	x.record(func(r *Request) { r.Sent += int64(n) })
	return n, err
}

// record changes the recorded request.
func (x *Exchange) record(change func(*Request)) {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	change(&x.server.requests[x.index])
}

// Start starts a server on a free loopback port. Without answers it always answers OK.
func Start(answers ...Answer) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	if len(answers) == 0 {
		answers = []Answer{OK(Credentials{})}
	}
	s := &Server{url: "http://" + listener.Addr().String(), answers: answers}
	s.life, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(listener) }() // It ends with Close, by an error.
	return s, nil
}

// URL returns the server's address, for AWS_ENDPOINT_URL_STS.
func (s *Server) URL() string { return s.url }

// Close stops the server and drops its connections.
func (s *Server) Close() {
	s.stop()
	_ = s.http.Close()
}

// Requests returns the requests so far, in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // Of a body that is cut short the readable part is recorded.
	r.Body = io.NopCloser(bytes.NewReader(body))
	_ = r.ParseForm() // So it is of a form that is broken.
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	by, refusal := s.signer(r, body)
	answer, index := s.next(Request{Time: time.Now(), Header: r.Header, Form: r.Form, By: by})
	if refusal != nil {
		answer = refusal
	}
	now := s.now()
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	answer(&Exchange{ResponseWriter: w, Form: r.Form, Now: now, Gone: ctx.Done(), server: s, index: index})
}

// SetClock puts the server's clock off by that much.
func (s *Server) SetClock(off time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = off
}

// now returns the time by the server's clock.
func (s *Server) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Now().Add(s.clock)
}

// next records a request, and returns its answer and its index in requests.
func (s *Server) next(request Request) (Answer, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, request)
	answer := s.answers[0]
	if len(s.answers) > 1 {
		s.answers = s.answers[1:]
	}
	return answer, len(s.requests) - 1
}
