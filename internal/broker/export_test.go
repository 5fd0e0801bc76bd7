package broker

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"rolecall/test/kit"
)

// Running is a broker that a test has started.
type Running struct {
	URL, Status string // of its first address, and of /healthz

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
	scheme, _, _ := strings.Cut(f.listen[0].String(), "://")
	r.URL = scheme + "://" + servers[0].listener.Addr().String()
	r.Status = "http://" + servers[len(servers)-1].listener.Addr().String()
	go func() { r.ended <- s.serve(servers, r.signals) }()
	t.Cleanup(func() {
		select {
		case r.signals <- syscall.SIGTERM:
			if err := <-r.ended; err != nil {
				t.Errorf("the broker ended with %v", err)
			}
		default:
		}
		s.keeper.Close()
	})
	return r
}

// Reload reads the files again, as SIGHUP does.
func (r *Running) Reload() { r.s.reload(true) }
