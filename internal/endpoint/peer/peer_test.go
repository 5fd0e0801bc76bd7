package peer_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/endpoint/peer"
	"rolecall/test/kit"
)

// newLookup returns a Lookup in the network of this process.
func newLookup(t testing.TB) *peer.Lookup {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	kit.Must(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	l, err := peer.New(fd)
	kit.Must(t, err)
	return l
}

// connect returns a connection on the loopback interface, as its server has it.
func connect(t testing.TB) net.Conn {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	kit.Must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	client, err := net.Dial("tcp4", listener.Addr().String())
	kit.Must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	server, err := listener.Accept()
	kit.Must(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// addresses returns the addresses of a connection: that of its client, and its own.
func addresses(t testing.TB, server net.Conn) (client, own netip.AddrPort) {
	t.Helper()
	client, err := netip.ParseAddrPort(server.RemoteAddr().String())
	kit.Must(t, err)
	own, err = netip.ParseAddrPort(server.LocalAddr().String())
	kit.Must(t, err)
	return client, own
}

func TestUID(t *testing.T) {
	t.Parallel()
	lookup := newLookup(t)
	for range 3 {
		client, own := addresses(t, connect(t))
		uid, err := lookup.UID(client, own)
		if err != nil || int(uid) != os.Geteuid() {
			t.Errorf("uid %d, %v, want that of this process", uid, err)
		}
	}
}

// TestOtherUser: the uid is that of the process that has connected.
func TestOtherUser(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a client of another user")
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	kit.Must(t, err)
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	child := exec.CommandContext(t.Context(), "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/"+port+"; read -r line <&3")
	child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	child.Dir = "/"
	kit.Must(t, child.Start())
	server, err := listener.Accept()
	kit.Must(t, err)
	client, own := addresses(t, server)
	uid, err := newLookup(t).UID(client, own)
	if err != nil || uid != 65534 {
		t.Errorf("uid %d, %v, want 65534", uid, err)
	}
	kit.Must(t, server.Close())
	_ = child.Wait()
}

// TestNobody: a connection that does not exist is nobody's.
func TestNobody(t *testing.T) {
	t.Parallel()
	client, own := addresses(t, connect(t))
	for name, asked := range map[string]netip.AddrPort{
		"another port":    netip.AddrPortFrom(client.Addr(), 1),
		"another address": netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), client.Port()),
	} {
		if uid, err := newLookup(t).UID(asked, own); err == nil {
			t.Errorf("%s: uid %d, want an error", name, uid)
		}
	}
}

// TestLeftAnswer: an answer that a process before has left is not taken for another
// connection, even if it has the number of the request.
func TestLeftAnswer(t *testing.T) {
	t.Parallel()
	lookup := newLookup(t)
	client, own := addresses(t, connect(t))
	kit.Must(t, lookup.Leave(client, own))
	nobody := netip.AddrPortFrom(client.Addr(), 1)
	if uid, err := lookup.UID(nobody, own); err == nil {
		t.Errorf("uid %d of a connection that does not exist", uid)
	}
}

func BenchmarkUID(b *testing.B) {
	lookup := newLookup(b)
	client, own := addresses(b, connect(b))
	for b.Loop() {
		if _, err := lookup.UID(client, own); err != nil {
			b.Fatal(err)
		}
	}
}
