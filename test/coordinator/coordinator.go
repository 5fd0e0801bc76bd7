// Package coordinator is a stand-in for a GitLab server on loopback. It has the
// interfaces that a runner and the receivers of ID tokens use.
package coordinator

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/test/kit"
)

// Server is a GitLab server without projects, users or a database. Tests say which jobs
// it gives to runners, and read what the runners report. Its methods may be called
// concurrently.
type Server struct {
	url  string
	http *http.Server
	key  *signingKey
	done chan struct{}
	gate kit.Gate

	mu      sync.Mutex
	changed chan struct{} // closed, and replaced, at every change of what mu guards
	lastID  int64
	runs    map[int64]*Run
	queue   []*Run
	runners map[string]int64
	repos   map[string]*Repo
}

// Start starts a server on a free loopback port, with a new RSA key for its tokens, as GitLab has.
func Start() (*Server, error) { return start(jose.RS256) }

// StartWithECKey is Start with a key of the curve P-256. An RSA key takes 0.1 s of a processor: too
// much for tests that start hundreds of servers and do not look at the key.
func StartWithECKey() (*Server, error) { return start(jose.ES256) }

// start starts a server whose key is for that algorithm.
func start(algorithm jose.SignatureAlgorithm) (*Server, error) {
	key, err := newSigningKey(algorithm)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{
		url:     "http://" + listener.Addr().String(),
		key:     key,
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		lastID:  time.Now().UnixMilli() % 1e9 * 1000, // servers that run at once on a host share no id
		runs:    make(map[int64]*Run),
		runners: make(map[string]int64),
		repos:   make(map[string]*Repo),
	}
	s.http = &http.Server{Handler: s.gate.Handler(s.routes()), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(listener) }() // It ends with Close, by an error.
	return s, nil
}

// Hold holds the requests that match: those of git, of a runner's jobs, or for keys.
func (s *Server) Hold(matches func(*http.Request) bool) *kit.Hold { return s.gate.Hold(matches) }

// URL returns the server's address without a trailing slash. It is also CI_SERVER_URL.
func (s *Server) URL() string { return s.url }

// Issuer returns the claim iss of the server's ID tokens.
func (s *Server) Issuer() string { return s.url }

// Close stops the server and closes its connections. A second call does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	s.mu.Unlock()
	_ = s.http.Close()
}

// RunnerID returns the id that the server has given to the runner with this token.
func (s *Server) RunnerID(token string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runnerID(token)
}

// runnerID is RunnerID for a caller that holds the lock.
func (s *Server) runnerID(token string) int64 {
	id, ok := s.runners[token]
	if !ok {
		id = int64(len(s.runners)) + 1
		s.runners[token] = id
	}
	return id
}

// Host makes repo the repository of the project with this path, for jobs that are
// enqueued later.
func (s *Server) Host(projectPath string, repo *Repo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repos[projectPath] = repo
}

// Enqueue appends job to the queue of the runner with this token.
func (s *Server) Enqueue(runnerToken string, job Job) *Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	run := &Run{
		server:      s,
		id:          s.lastID,
		runnerToken: runnerToken,
		token:       "glcbt-64_" + rand.Text(),
		status:      statusPending,
		queued:      time.Now(),
		idTokens:    make(map[string]string),
	}
	run.job = job.withDefaults(run.id, s.url, s.repos[job.projectPath()])
	s.runs[run.id] = run
	s.queue = append(s.queue, run)
	s.broadcast()
	return run
}

// take removes the first queued run of a runner and returns it, or nil if there is
// none. The caller must hold the lock.
func (s *Server) take(runnerToken string) *Run {
	for i, run := range s.queue {
		if run.runnerToken == runnerToken {
			s.queue = append(s.queue[:i:i], s.queue[i+1:]...)
			run.status = statusRunning
			run.picked = time.Now()
			s.broadcast()
			return run
		}
	}
	return nil
}

// broadcast wakes all goroutines that wait for a change. The caller must hold the lock.
func (s *Server) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// wait waits until holds returns true. It calls holds with the lock held.
func (s *Server) wait(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		ok, changed := holds(), s.changed
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.done:
			return errors.New("the coordinator is closed")
		}
	}
}
