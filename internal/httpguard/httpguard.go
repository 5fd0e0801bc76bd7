// Package httpguard is the way to the servers that a stage asks: encrypted or to this
// host only, no redirects, small answers, each within a time.
package httpguard

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"
)

// MaxAnswer bounds the size of an answer, in bytes. What is longer ends there.
const MaxAnswer = 1 << 20

// ErrPlain is the refusal to ask a server over a network in the clear.
var ErrPlain = errors.New("not https; http is for loopback only")

// Guard makes requests. It remembers the host that was asked last.
type Guard struct {
	base    http.RoundTripper
	attempt time.Duration
	host    string
	tries   int
}

// New returns a guard that makes each request through transport, within attempt.
// The transport is changed to HTTP/1: one request does not pay for setting up
// HTTP/2, and what goes to this host goes through no proxy: that would carry it over
// the network, maybe in the clear.
func New(transport *http.Transport, attempt time.Duration) *Guard {
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.Proxy = awayOnly(transport.Proxy)
	return &Guard{base: transport, attempt: attempt}
}

// awayOnly returns the proxy that choose names, which may be nil, but none for this host.
func awayOnly(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if choose == nil || isLoopback(r.URL.Hostname()) {
			return nil, nil
		}
		return choose(r)
	}
}

// Client returns an HTTP client that makes its requests through the guard.
func (g *Guard) Client() *http.Client {
	return &http.Client{
		Transport:     g,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Host returns the host, and its port if there is one, that was asked last.
func (g *Guard) Host() string { return g.host }

// Tries returns how many requests were made.
func (g *Guard) Tries() int { return g.tries }

// RoundTrip makes one request, which ends with its answer's body. Its error is
// ErrPlain where it would go over a network in the clear.
func (g *Guard) RoundTrip(r *http.Request) (*http.Response, error) {
	g.host = r.URL.Host
	g.tries++
	if r.URL.Scheme != "https" && !isLoopback(r.URL.Hostname()) {
		return nil, ErrPlain
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.attempt)
	r = r.Clone(ctx)
	if r.Body != nil {
		// The SDK closes its body when it has the answer; its WriteTo then fails the
		// transport's write and with it the connection that the answer comes from.
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	response, err := g.base.RoundTrip(r)
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &body{io.LimitReader(response.Body, MaxAnswer), response.Body, cancel}
	return response, nil
}

// isLoopback reports whether host is this host, by its name or its address.
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// body is the bounded body of an answer; its end ends the request's context.
type body struct {
	io.Reader
	closer io.Closer
	cancel context.CancelFunc
}

// Close closes the body.
func (b *body) Close() error {
	defer b.cancel()
	return b.closer.Close()
}

// Cause says in our own words why a request failed: the words of an error may hold
// a proxy's password or a part of the answer. It is empty where they have none.
func Cause(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var errno syscall.Errno
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &dns):
		return "its name is not found"
	case errors.As(err, &certificate):
		return "its certificate is not trusted: " + certificate.Err.Error()
	case errors.As(err, &errno):
		return errno.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "no answer in time"
	}
	return ""
}
