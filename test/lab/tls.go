package lab

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// TLS is a server on loopback whose certificate is of an authority of its own.
type TLS struct {
	URL string
	CA  string // path of the certificate of its authority

	http *http.Server
}

// StartTLS starts a server that answers by a handler, with its certificates in the folder dir, which
// it makes. End it with Close.
func StartTLS(dir string, handler http.Handler) (*TLS, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := certify(dir); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &TLS{URL: "https://" + listener.Addr().String(), CA: filepath.Join(dir, caFile), http: &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = s.http.ServeTLS(listener, filepath.Join(dir, certFile), filepath.Join(dir, keyFile)) }() // it ends with Close, by an error
	return s, nil
}

// Close ends the server.
func (s *TLS) Close() { _ = s.http.Close() }
