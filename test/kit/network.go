package kit

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The link-local addresses from which SDKs of AWS take credentials over http. The SDKs of 2022,
// such as Debian 12's, know only that of ECS.
const (
	AddressECS = "169.254.170.2"
	AddressEKS = "169.254.170.23"
)

// InNetwork is InChild in a network and a mount namespace of its own, as on a host whose
// loopback interface has these addresses too.
func InNetwork(t testing.TB, why string, addresses ...string) bool {
	t.Helper()
	NeedRoot(t, why)
	NeedProgram(t, "ip", "iproute2")
	if !InChild(t, &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}) {
		return false
	}
	Must(t, os.Chdir(os.Getenv("PWD"))) //nolint:usetesting // as InUnified does
	Must(t, ip("link", "set", "lo", "up"))
	for _, address := range addresses {
		Must(t, ip("address", "add", address+"/32", "dev", "lo"))
	}
	return true
}

// Network is a network namespace whose default route leads to the network of this process, as
// that of a container leads to its host.
type Network struct{ namespace *os.File }

// NewNetwork makes a network that lasts until the test ends. Call it only in a child of
// InNetwork.
func NewNetwork(t testing.TB) *Network {
	t.Helper()
	n := &Network{}
	Must(t, elsewhere(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			n.namespace, err = os.Open("/proc/thread-self/ns/net")
		}
		return err
	}))
	t.Cleanup(func() { _ = n.namespace.Close() })
	fd := n.namespace.Fd()
	first := [4]byte{10, 23, byte(fd >> 6), byte(fd << 2)} // of four addresses: the second is the host's, the third the network's
	here, there, host := address(first, 1), address(first, 2), fmt.Sprintf("host%d", fd)
	Must(t, ip("link", "add", host, "type", "veth", "peer", "name", "eth0", "netns", n.path()))
	Must(t, ip("address", "add", here+"/30", "dev", host))
	Must(t, ip("link", "set", host, "up"))
	Must(t, n.ip("link", "set", "lo", "up"))
	Must(t, n.ip("address", "add", there+"/30", "dev", "eth0"))
	Must(t, n.ip("link", "set", "eth0", "up"))
	Must(t, n.ip("route", "add", "default", "via", here))
	return n
}

// address returns an address by its distance from the first one.
func address(first [4]byte, plus byte) string {
	first[3] += plus
	return netip.AddrFrom4(first).String()
}

// Under returns the beginning of a command line whose program runs in the network.
func (n *Network) Under() []string { return []string{"nsenter", "--net=" + n.path()} }

// path is the namespace's, for other processes.
func (n *Network) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.namespace.Fd()) }

// Forward lets programs in the network reach, at the same address, what listens at a loopback
// address of this process's network. It takes host:port, or a URL of that.
func (n *Network) Forward(t testing.TB, address string) {
	t.Helper()
	address = strings.TrimPrefix(address, "http://")
	var listener net.Listener
	Must(t, elsewhere(func() (err error) {
		if err = unix.Setns(int(n.namespace.Fd()), unix.CLONE_NEWNET); err == nil {
			listener, err = net.Listen("tcp", address)
		}
		return err
	}))
	serve(t, listener, address)
}

// Relay lets others reach at an address of this process's network, such as AddressEKS and a
// port, what listens at a loopback address. It takes host:port, or a URL of that, and returns
// the new address in the same form.
func Relay(t testing.TB, host, loopback string) string {
	t.Helper()
	to := strings.TrimPrefix(loopback, "http://")
	_, port, err := net.SplitHostPort(to)
	Must(t, err)
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	Must(t, err)
	serve(t, listener, to)
	return strings.Replace(loopback, to, listener.Addr().String(), 1)
}

// serve forwards the connections of a listener to an address until the test ends.
func serve(t testing.TB, listener net.Listener, address string) {
	t.Helper()
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(client, address)
		}
	}()
}

// forward copies between a client and an address until both have said all.
func forward(client net.Conn, address string) {
	defer client.Close() //nolint:errcheck // nobody could do anything about it
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // as above
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		pass(client, server)
	}()
	pass(server, client)
	<-answered
}

// pass copies all that from says, and its end.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
}

// elsewhere calls do in a thread that may go to another network namespace, and that comes back.
// A thread that ended instead would take along the services that it has started: they die with
// their parent, which is a thread, prctl(2).
func elsewhere(do func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	err = do()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return errors.Join(err, back) // the thread stays locked: nobody else may get it
	}
	runtime.UnlockOSThread()
	return err
}

// ip runs the program ip in the network of this process.
func ip(args ...string) error { return output(exec.Command("ip", args...)) }

// ip runs the program ip in the network.
func (n *Network) ip(args ...string) error {
	argv := append(append(n.Under(), "ip"), args...)
	return output(exec.Command(argv[0], argv[1:]...))
}

// output runs a program, and returns what it has printed where it fails.
func output(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", cmd.Args, err, out)
	}
	return nil
}
