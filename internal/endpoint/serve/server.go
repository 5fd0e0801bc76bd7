package serve

import (
	"context"
	"crypto/subtle"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"rolecall/internal/answer"
	"rolecall/internal/backend"
	"rolecall/internal/endpoint"
)

// Bounds of clients.
const (
	headerTime = time.Second // until a client has sent its request
	answerTime = 2 * time.Second
	idleTime   = time.Minute
	maxHeader  = 4 << 10 // bytes; net/http adds 4 KiB
	maxClients = 256     // connections at once
)

// UserOf returns the uid of the process at the other end of a connection, which is at client
// for this end, own.
type UserOf func(client, own netip.AddrPort) (uid uint32, err error)

// server answers the clients of a job.
type server struct {
	order   endpoint.Order
	userOf  UserOf
	sources map[string]*source // by path
	clients atomic.Int32
}

// newServer returns a server of sources, by their paths.
func newServer(order endpoint.Order, userOf UserOf, sources map[string]*source) *http.Server {
	s := &server{order: order, userOf: userOf, sources: sources}
	return &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       headerTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       s.meet,
		ConnState:         s.count,
		ErrorLog:          log.New(io.Discard, "", 0), // it would print what clients send

		DisableGeneralOptionsHandler: true,
	}
}

// count closes connections beyond maxClients.
func (s *server) count(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if s.clients.Add(1) > maxClients {
			_ = c.Close()
		}
	case http.StateClosed, http.StateHijacked:
		s.clients.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// allowed is the key of a connection's context for whether its client may ask.
type allowed struct{}

// meet finds out whose a connection is.
func (s *server) meet(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, allowed{}, s.mayAsk(c))
}

// mayAsk reports whether the user at the other end of a connection may ask. If the user is
// not known, the answer is no.
func (s *server) mayAsk(c net.Conn) bool {
	client, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return false
	}
	own, err := netip.ParseAddrPort(c.LocalAddr().String())
	if err != nil {
		return false
	}
	uid, err := s.userOf(client, own)
	return err == nil && slices.ContainsFunc(s.order.Users, func(u backend.Users) bool { return u.Has(uid) })
}

// ServeHTTP answers a client.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if credential, refused := s.answer(r); refused != nil {
		answer.Refuse(w, *refused)
	} else {
		answer.Credential(w, credential)
	}
}

// knows reports whether a client shows a token that counts.
func (s *server) knows(shown string) bool {
	return slices.ContainsFunc(append([]string{s.order.Token}, s.order.Also...), func(token string) bool {
		return subtle.ConstantTimeCompare([]byte(shown), []byte(token)) == 1
	})
}

// answer returns the answer to a request, or why there is none.
func (s *server) answer(r *http.Request) (string, *answer.Refusal) {
	mine, _ := r.Context().Value(allowed{}).(bool)
	named := r.Header["Authorization"]
	source := s.sources[r.RequestURI] // as it was sent: a path that needs to be cleaned is another one
	switch {
	case !mine:
		return "", &answer.Refusal{Code: "Forbidden", Message: "rolecall: the credentials are for another unix user", Status: http.StatusForbidden}
	case len(named) != 1 || !s.knows(named[0]):
		return "", &answer.Refusal{Code: "Unauthorized", Message: "rolecall: the request has not the token of this script's endpoint; another script of the job had another token", Status: http.StatusUnauthorized}
	case source == nil:
		return "", &answer.Refusal{Code: "NotFound", Message: "rolecall: the job has no credentials of that name", Status: http.StatusNotFound}
	case r.Method != http.MethodGet:
		return "", &answer.Refusal{Code: "MethodNotAllowed", Message: "rolecall: only GET is answered", Status: http.StatusMethodNotAllowed}
	}
	return source.answer(time.Now())
}
