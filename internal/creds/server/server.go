// Package server asks the servers of sources, which speak JSON: over https or on this host, a few
// times if an error may pass, for a short time, and never more than a bounded answer. It sends
// what it is given, and prints nothing of what a server says.
package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
)

// Times of requests.
const (
	Deadline = 20 * time.Second // how long all requests of a source may take
	attempt  = 8 * time.Second  // how long one of them may take
)

// tries is how often a request is made, while its errors may pass.
const tries = 3

// maxHeader bounds the header of an answer, in bytes.
const maxHeader = 64 << 10

// Server is a server of a source. It can be used by several goroutines.
type Server struct {
	base      *url.URL
	transport *http.Transport
	client    *http.Client
}

// New returns the server at address, an https URL, or an http one of this host. Its certificate
// must be signed by an authority of caBundle, in PEM; if that is nil, by one that the host trusts.
// The proxy is that of the program's environment. The error is a fault.BadSource.
func New(address string, caBundle []byte) (*Server, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || base.User != nil {
		return nil, fault.New(fault.BadSource, errors.New("the address of a source's server is not a URL without a user"), "correct it in the policy file")
	}
	roots, err := pool(caBundle)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true,
	}
	guard := httpguard.New(transport, attempt).Bound(httpguard.MaxAnswer + 1)
	return &Server{base, transport, guard.Client()}, nil
}

// pool returns the authorities of a bundle alone, and nil for those of the host.
func pool(caBundle []byte) (*x509.CertPool, error) {
	if caBundle == nil {
		return nil, nil
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(caBundle) {
		return nil, fault.New(fault.BadSource, errors.New("the CA bundle of a source has no certificate in PEM"), "correct the file that ca_bundle names")
	}
	return roots, nil
}

// Close closes the connections that are not in use.
func (s *Server) Close() { s.transport.CloseIdleConnections() }

// Host returns the server's host, with its port if the address has one.
func (s *Server) Host() string { return s.base.Host }

// Ask makes a request, and makes it again if the server cannot be reached or its answer may pass:
// three times in all. Who makes several requests for a source bounds ctx by Deadline. The error is
// a fault.NoSource, or a fault.BadSource for an address that may not be asked.
func (s *Server) Ask(ctx context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	for n := 1; ; n++ {
		answer, err := s.once(ctx, r)
		answer.Tries = n
		if n == tries || !r.again(answer, err) || !sleep(ctx, n) {
			return answer, s.failed(err, n)
		}
	}
}

// sleep waits before the next try. It reports false if ctx is done before.
func sleep(ctx context.Context, n int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(time.Duration(n*n) * 250 * time.Millisecond):
		return true
	}
}

// failed returns the error that a request failed with err, whose text must not be printed.
func (s *Server) failed(err error, tries int) error {
	var certificate *tls.CertificateVerificationError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, httpguard.ErrPlain):
		return fault.New(fault.BadSource, fmt.Errorf("the address of a source's server, at %s, is %w", s.Host(), httpguard.ErrPlain), "use https")
	case errors.As(err, &certificate):
		return s.Unfit(Answer{Tries: tries}, cause(err), "the authority that has signed the certificate must be in ca_bundle of the source; without ca_bundle, among those that the host trusts")
	}
	return s.Unfit(Answer{Tries: tries}, cause(err), "look at the server, and at the network, the proxy and the CA of the runner's host, if it lasts")
}

// Unfit returns the error that the server did not answer as it should, and why, in fixed words.
func (s *Server) Unfit(a Answer, why, next string) *fault.Error {
	return fault.New(fault.NoSource, fmt.Errorf("no credentials: the server %s, %s: %s", s.Host(), times(a.Tries), why), next)
}

// times says how often a request was made.
func times(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}
