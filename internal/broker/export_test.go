package broker

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"rolecall/test/kit"
)

// Running is a broker that a test has started.
type Running struct {
	URL, Status string   // of its first address, and of /healthz
	Also        []string // its other addresses

	s       *service
	signals chan os.Signal
	ended   chan error
}

// Start starts a broker with a command line, whose log goes to log. It ends with the test.
func Start(t *testing.T, p Program, log *kit.Buffer, args ...string) *Running {
	t.Helper()
	f, err := parseFlags(args)
	kit.Must(t, err)
	s, err := newService(p, f, newLog(log))
	kit.Must(t, err)
	servers, err := s.listen()
	kit.Must(t, err)
	r := &Running{s: s, signals: make(chan os.Signal, 1), ended: make(chan error, 1)}
	r.Status = "http://" + servers[len(servers)-1].listener.Addr().String()
	for i, a := range f.listen {
		scheme, _, _ := strings.Cut(a.String(), "://")
		r.Also = append(r.Also, scheme+"://"+servers[i].listener.Addr().String())
	}
	r.URL, r.Also = r.Also[0], r.Also[1:]
	go func() { r.ended <- s.serve(servers, r.signals) }()
	t.Cleanup(func() {
		if err := r.End(); err != nil {
			t.Errorf("the broker ended with %v", err)
		}
	})
	return r
}

// Reload reads the files again, as SIGHUP does.
func (r *Running) Reload() { r.s.reload(true) }

// Look reads the files again, as --reload-every does.
func (r *Running) Look() { r.s.reload(false) }

// Signal sends a signal.
func (r *Running) Signal(s os.Signal) { r.signals <- s }

// Handler is what answers jobs.
func (r *Running) Handler() http.Handler { return r.s }

// End ends the broker and forgets all that it keeps. A second call does nothing.
func (r *Running) End() error {
	if r.s == nil {
		return nil
	}
	r.signals <- syscall.SIGTERM
	err := <-r.ended
	r.s.keeper.Close()
	r.s = nil
	return err
}

// Ended waits until a signal has ended the broker.
func (r *Running) Ended() error {
	err := <-r.ended
	r.s.keeper.Close()
	r.s = nil
	return err
}
