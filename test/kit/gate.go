package kit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Gate is a way to a server on which requests can be held. The zero Gate holds none. Its methods
// may be called concurrently.
type Gate struct {
	mu    sync.Mutex
	holds []*Hold
}

// Hold holds some requests to a server.
type Hold struct {
	matches func(*http.Request) bool
	came    chan struct{} // closed when the first one has come
	open    chan struct{} // closed when they may go on
	arrive  func()
	release func()
}

// Hold holds, from now on, the requests that match.
func (g *Gate) Hold(matches func(*http.Request) bool) *Hold {
	h := &Hold{matches: matches, came: make(chan struct{}), open: make(chan struct{})}
	h.arrive = sync.OnceFunc(func() { close(h.came) })
	h.release = sync.OnceFunc(func() { close(h.open) })
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds = append(g.holds, h)
	return h
}

// Release lets the requests go on, and holds no others. A second call does nothing.
func (h *Hold) Release() { h.release() }

// Came waits until a request is held.
func (h *Hold) Came(ctx context.Context) error {
	select {
	case <-h.came:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("no request has come that is held: %w", ctx.Err())
	}
}

// Handler returns a handler that answers by next what is not held. A request whose client is gone
// meanwhile never reaches next.
func (g *Gate) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range g.matching(r) {
			readBody(r)
			h.arrive()
			select {
			case <-h.open:
			case <-r.Context().Done():
			}
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// readBody reads the body of a request that will be held: until then a server does not see that its
// client is gone.
func readBody(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
}

// matching returns the holds that hold a request.
func (g *Gate) matching(r *http.Request) (all []*Hold) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range g.holds {
		select {
		case <-h.open:
		default:
			if h.matches(r) {
				all = append(all, h)
			}
		}
	}
	return all
}
