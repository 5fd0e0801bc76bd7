package serve_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/endpoint"
	"rolecall/internal/endpoint/serve"
	"rolecall/test/kit"
)

// strange is a connection whose addresses say nothing.
type strange struct {
	net.Conn

	remote, local bool
}

// RemoteAddr is no address, if it shall be none.
func (s strange) RemoteAddr() net.Addr { return addressOf(s.remote, s.Conn.RemoteAddr()) }

// LocalAddr is no address, if it shall be none.
func (s strange) LocalAddr() net.Addr { return addressOf(s.local, s.Conn.LocalAddr()) }

// addressOf returns an address, or none.
func addressOf(none bool, a net.Addr) net.Addr {
	if none {
		return &net.UnixAddr{Name: "@", Net: "unix"}
	}
	return a
}

// strangers is a listener whose connections are strange.
type strangers struct {
	net.Listener

	remote, local bool
}

// Accept returns the next connection.
func (s strangers) Accept() (net.Conn, error) {
	conn, err := s.Listener.Accept()
	return strange{conn, s.remote, s.local}, err
}

// TestUnknownUser: a client of which nobody can say whose it is gets nothing, even with the
// right token.
func TestUnknownUser(t *testing.T) {
	t.Parallel()
	me := uint32(os.Geteuid())
	mine := func(netip.AddrPort, netip.AddrPort) (uint32, error) { return me, nil }
	for name, test := range map[string]struct {
		remote, local bool
		userOf        serve.UserOf
		status        int
	}{
		"known":             {false, false, mine, 200},
		"the kernel fails":  {false, false, func(netip.AddrPort, netip.AddrPort) (uint32, error) { return me, errors.New("no buffers") }, 403},
		"no address":        {true, false, mine, 403},
		"no own address":    {false, true, mine, 403},
		"no address at all": {true, true, mine, 403},
	} {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		kit.Must(t, err)
		order := endpoint.Order{
			Token: token, Users: []backend.Users{{First: me, Count: 1}}, IDToken: idToken,
			Sources: []endpoint.Source{issued("", 0, time.Hour, 0)},
		}
		in, answers := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- serve.RunFor(order, in, strangers{listener, test.remote, test.local}, test.userOf)
		}()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String()+"/cloud/default", http.NoBody)
		kit.Must(t, err)
		request.Header.Set("Authorization", token)
		answer, err := http.DefaultClient.Do(request)
		kit.Must(t, err)
		body, err := io.ReadAll(answer.Body)
		kit.Must(t, errors.Join(err, answer.Body.Close()))
		if answer.StatusCode != test.status || strings.Contains(string(body), "secret-word") != (test.status == 200) {
			t.Errorf("%s: %d %s, want %d", name, answer.StatusCode, body, test.status)
		}
		kit.Must(t, answers.Close())
		kit.Must(t, <-ended)
	}
}
