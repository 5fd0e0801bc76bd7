// Package httpguard is the HTTP client of the driver. It sends requests only over https
// or to this host, follows no redirect, and bounds the size and the time of each answer.
package httpguard

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// MaxAnswer bounds the size of an answer, in bytes. The rest of a longer answer is not read.
const MaxAnswer = 1 << 20

// ErrPlain is the refusal to send a request unencrypted over a network.
var ErrPlain = errors.New("not https; http is for loopback only")

// Guard makes requests. It remembers the host of the last one. It can be used by several
// goroutines.
type Guard struct {
	base    http.RoundTripper
	attempt time.Duration
	max     int64

	mu    sync.Mutex // guards what follows
	host  string
	tries int
}

// New returns a guard that makes each request through transport and ends it after the
// time attempt. It changes transport in two ways. It uses HTTP/1 only: a single request
// is faster without setting up HTTP/2. And it sends requests for this host directly: a
// proxy might send them over the network, unencrypted.
func New(transport *http.Transport, attempt time.Duration) *Guard {
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	if tls := transport.TLSClientConfig; tls != nil { // that of a transport which was cloned may still offer HTTP/2
		transport.TLSClientConfig = tls.Clone()
		transport.TLSClientConfig.NextProtos = nil
	}
	transport.Proxy = awayOnly(transport.Proxy)
	return &Guard{base: transport, attempt: attempt, max: MaxAnswer}
}

// Again returns a guard over the same connections, which has made no request yet.
func (g *Guard) Again() *Guard { return &Guard{base: g.base, attempt: g.attempt, max: g.max} }

// Bound bounds the size of an answer to max bytes instead of MaxAnswer, and returns the
// guard.
func (g *Guard) Bound(max int64) *Guard {
	g.max = max
	return g
}

// awayOnly returns a function that chooses a proxy as choose does, but no proxy for this
// host. If choose is nil, it never chooses a proxy.
func awayOnly(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		if choose == nil || IsLoopback(r.URL.Hostname()) {
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

// Host returns the host of the last request, with its port if the URL has one.
func (g *Guard) Host() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.host
}

// Tries returns how many requests were made.
func (g *Guard) Tries() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tries
}

// count remembers a request.
func (g *Guard) count(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.host = r.URL.Host
	g.tries++
}

// RoundTrip makes one request. Its time runs until the answer's body is closed. The error
// is ErrPlain if the request would go unencrypted over a network.
func (g *Guard) RoundTrip(r *http.Request) (*http.Response, error) {
	g.count(r)
	if r.URL.Scheme != "https" && !IsLoopback(r.URL.Hostname()) {
		return nil, ErrPlain
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.attempt)
	r = r.Clone(ctx)
	if r.Body != nil {
		// This hides the body's WriteTo. The AWS SDK closes its body when the answer
		// begins; WriteTo then fails, and so does the connection with the answer.
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	response, err := g.base.RoundTrip(r)
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &body{io.LimitReader(response.Body, g.max), response.Body, cancel}
	return response, nil
}

// IsLoopback reports whether host is the name or an address of this host.
func IsLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// body is the bounded body of an answer. Close ends the request's context.
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

// Cause returns in fixed words why a request failed, and "" if the reason is not known.
// The text of err itself must not be printed: it may hold a proxy's password or a part
// of the answer.
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
