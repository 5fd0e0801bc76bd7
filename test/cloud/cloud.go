// Package cloud starts the project's own stand-ins for STS and S3, at one address on loopback. They
// start at once and need no build of their own; the tests hold them against MinIO.
package cloud

import (
	"net"
	"net/http"
	"time"

	"rolecall/test/cloud/account"
	"rolecall/test/cloud/s3"
	"rolecall/test/cloud/sts"
)

// Server is a running server.
type Server struct {
	URL  string
	http *http.Server
}

// Start starts STS and S3 of an account. End them with Close.
func Start(a *account.Account) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{URL: "http://" + listener.Addr().String()}
	exchange, store := sts.New(a), s3.New(a)
	s.http = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/" {
			exchange.ServeHTTP(w, r)
			return
		}
		store.ServeHTTP(w, r)
	})}
	go func() { _ = s.http.Serve(listener) }() // It ends with Close, by an error.
	return s, nil
}

// Close ends the server and drops its connections.
func (s *Server) Close() { _ = s.http.Close() }
