package kit

import (
	"net"
	"net/http/httptest"
	"testing"
	"time"
)

// Listen makes a socket of datagrams at path, as the daemon of a log has it. The function
// that it returns returns the next datagram, or an empty text if there is none.
func Listen(t testing.TB, path string) (next func() string) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	buffer := make([]byte, 1<<20)
	return func() string {
		Must(t, conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		n, err := conn.Read(buffer)
		if err != nil {
			return ""
		}
		return string(buffer[:n])
	}
}

// ListenIPv6 lets a server that is not yet started listen on the loopback address of IPv6.
// The test is skipped on a host without IPv6.
func ListenIPv6(t testing.TB, server *httptest.Server) {
	t.Helper()
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("NOT TESTED, this host has no IPv6: %v", err)
	}
	_ = server.Listener.Close()
	server.Listener = listener
}
