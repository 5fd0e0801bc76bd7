package endpoint

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// backlog is how many clients may wait until the program has started.
const backlog = 128

// Socket is the place at which a job asks for its credentials. Nobody has to take it over:
// if it is closed, clients are refused.
type Socket struct {
	Port     int
	Listener *os.File
	Sockets  *os.File // a NETLINK_SOCK_DIAG socket of the same network
}

// Listen opens a socket on the loopback interface of the calling thread's network. It does
// not link net, which a stage would pay for at each start.
func Listen() (*Socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("a socket for the endpoint: %w", err)
	}
	s := &Socket{Listener: os.NewFile(uintptr(fd), "endpoint")}
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err == nil {
		s.Port, err = portOf(fd)
	}
	if err == nil {
		s.Sockets, err = sockDiag()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("a socket for the endpoint: %w", err), s.Close())
	}
	return s, nil
}

// portOf returns the port that a socket is bound to.
func portOf(fd int) (int, error) {
	at, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	in, ok := at.(*unix.SockaddrInet4)
	if !ok {
		return 0, errors.New("it has no address of IPv4")
	}
	return in.Port, nil
}

// sockDiag opens a socket by which the kernel says whose a connection is.
//
// https://man7.org/linux/man-pages/man7/sock_diag.7.html
func sockDiag() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "sockets"), nil
}

// Close closes the socket. Clients are refused from then on, unless the program has it.
func (s *Socket) Close() error {
	err := s.Listener.Close()
	if s.Sockets != nil {
		err = errors.Join(err, s.Sockets.Close())
	}
	return err
}
