package broker

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// status answers at the address of --status, which is for those who run the broker.
func (s *service) status() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { say(w, s.ready()) })
	mux.Handle("GET /metrics", s.metrics.Handler())
	return mux
}

// say answers ok, or that something is wrong.
func say(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, oneLine(err), http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// ready returns why new tokens cannot be answered.
func (s *service) ready() error {
	if s.ending.Load() {
		return errors.New("the broker is ending")
	}
	if err := s.tellable(); err != nil {
		return err
	}
	if ends := s.force.Load().expires(); !ends.IsZero() && time.Now().After(ends) {
		return errors.New("the certificate has expired")
	}
	return nil
}
