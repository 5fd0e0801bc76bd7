package endpoint_test

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
	"rolecall/test/kit"
)

// TestListen: the socket listens on the loopback interface only, until it is closed.
func TestListen(t *testing.T) {
	t.Parallel()
	s, err := endpoint.Listen()
	kit.Must(t, err)
	at, err := unix.Getsockname(int(s.Listener.Fd()))
	kit.Must(t, err)
	if in, ok := at.(*unix.SockaddrInet4); !ok || in.Addr != [4]byte{127, 0, 0, 1} || in.Port != s.Port || s.Port == 0 {
		t.Errorf("port %d, the socket is at %+v", s.Port, at)
	}
	address := fmt.Sprintf("127.0.0.1:%d", s.Port)
	conn, err := net.Dial("tcp4", address)
	kit.Must(t, err)
	_ = conn.Close()
	kit.Must(t, s.Close())
	kit.Await(t, "nothing listens", func() bool { // a child that another test forks has the socket until its exec
		conn, err := net.Dial("tcp4", address)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}

// TestNoSocket: a socket that is not whole is an error, and leaves no descriptor. A client
// could never be told from one of another user without the second socket.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	for name, denied := range map[string]kit.Call{
		"a socket":              {Number: unix.SYS_SOCKET},
		"bind":                  {Number: unix.SYS_BIND}, // it would listen to all who reach this host
		"listen":                {Number: unix.SYS_LISTEN},
		"its port":              {Number: unix.SYS_GETSOCKNAME},
		"whose a connection is": {Number: unix.SYS_SOCKET, Arg: 0, Mask: ^uint32(0), Has: unix.AF_NETLINK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if kit.InChild(t, nil) {
				checkDenied(t, denied)
			}
		})
	}
}

// checkDenied checks what is left of a socket if a system call fails.
func checkDenied(t *testing.T, denied kit.Call) {
	t.Helper()
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		kit.Must(t, err)
		return len(entries)
	}
	first, err := endpoint.Listen() // the runtime opens what it needs for sockets
	kit.Must(t, err)
	kit.Must(t, first.Close())
	before := open()
	kit.Must(t, kit.Deny(unix.ENOBUFS, denied))
	if s, err := endpoint.Listen(); err == nil || s != nil || !strings.HasPrefix(err.Error(), "a socket for the endpoint: no buffer space") {
		t.Errorf("%+v, %v", s, err)
	}
	if after := open(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

// TestPath: each credential has a path of its own, and one that is renewed takes the place of
// the one with its name only.
func TestPath(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]creds.Credential{
		"/aws/default": {Provider: "aws"}, "/aws/audit": {Provider: "aws", Name: "audit"}, "/cloud/audit": {Provider: "cloud", Name: "audit"},
	} {
		if got := endpoint.Path(c); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		s := endpoint.Source{Credential: clear.Credential{Provider: "aws", Name: "audit"}}
		if got := s.Is(c); got != (want == "/aws/audit") {
			t.Errorf("%s is the source /aws/audit: %v", want, got)
		}
	}
}
