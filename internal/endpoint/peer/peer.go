// Package peer says which unix user the client of a connection on the loopback interface is.
package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The messages of sock_diag(7).
//
// https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/inet_diag.h
const (
	byFamily  = 20 // SOCK_DIAG_BY_FAMILY
	anyCookie = ^uint32(0)
	portsAt   = unix.SizeofNlMsghdr + 4  // of struct inet_diag_msg: id.idiag_sport, id.idiag_dport
	uidAt     = unix.SizeofNlMsghdr + 64 // of struct inet_diag_msg: idiag_uid
)

// request is struct nlmsghdr with struct inet_diag_req_v2.
type request struct {
	unix.NlMsghdr

	Family, Protocol, Ext, _ uint8
	States                   uint32
	SourcePort, Port         [2]byte // in the order of the network
	Source, To               [16]byte
	Interface                uint32
	Cookie                   [2]uint32
}

// timeout bounds how long the kernel may take to answer.
const timeout = time.Second

// Lookup finds users by a NETLINK_SOCK_DIAG socket. Any goroutine may use it.
type Lookup struct {
	mu       sync.Mutex // guards what follows
	fd       int
	sequence uint32
}

// New returns a Lookup in the network in which the socket fd was opened.
func New(fd int) (*Lookup, error) {
	limit := unix.NsecToTimeval(int64(timeout))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit); err != nil {
		return nil, fmt.Errorf("find the users of connections: %w", err)
	}
	return &Lookup{fd: fd, sequence: rand.Uint32()}, nil //nolint:gosec // it only tells answers apart
}

// UID returns the uid of the process that has opened the socket at client, which is connected
// to server. Both are addresses of IPv4.
func (l *Lookup) UID(client, server netip.AddrPort) (uint32, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sequence++
	uid, err := l.ask(newRequest(client, server, l.sequence))
	if err != nil {
		return 0, fmt.Errorf("find the user of a connection: %w", err)
	}
	return uid, nil
}

// newRequest asks for the socket at client that is connected to server.
func newRequest(client, server netip.AddrPort, sequence uint32) request {
	r := request{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, States: ^uint32(0), Cookie: [2]uint32{anyCookie, anyCookie}}
	r.Len, r.Type, r.Flags, r.Seq = uint32(binary.Size(r)), byFamily, unix.NLM_F_REQUEST, sequence //nolint:gosec // 72 bytes
	binary.BigEndian.PutUint16(r.SourcePort[:], client.Port())
	binary.BigEndian.PutUint16(r.Port[:], server.Port())
	copy(r.Source[:], client.Addr().Unmap().AsSlice())
	copy(r.To[:], server.Addr().Unmap().AsSlice())
	return r
}

// ask sends a request and reads the answer to it.
func (l *Lookup) ask(r request) (uint32, error) {
	if err := l.send(r); err != nil {
		return 0, err
	}
	return l.receive(r)
}

// send sends a request.
func (l *Lookup) send(r request) error {
	message, err := binary.Append(nil, binary.NativeEndian, r)
	if err != nil {
		return err
	}
	return unix.Sendto(l.fd, message, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// receive reads messages up to the answer to a request. A process that has had the socket
// before may have left answers to its own requests.
func (l *Lookup) receive(r request) (uint32, error) {
	var buffer [512]byte
	for {
		n, err := unix.Read(l.fd, buffer[:])
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, err
		}
		if uid, mine, err := parse(buffer[:max(n, 0)], r); mine {
			return uid, err
		}
	}
}

// parse reads an answer, and reports whether it is that to the request.
func parse(answer []byte, r request) (uid uint32, mine bool, err error) {
	if len(answer) < unix.SizeofNlMsghdr || binary.NativeEndian.Uint32(answer[8:]) != r.Seq {
		return 0, false, nil
	}
	switch kind := binary.NativeEndian.Uint16(answer[4:]); {
	case kind == byFamily && len(answer) >= uidAt+4:
		if ports := answer[portsAt:]; !bytes.Equal(ports[:4], append(r.SourcePort[:], r.Port[:]...)) {
			return 0, false, nil
		}
		return binary.NativeEndian.Uint32(answer[uidAt:]), true, nil
	case kind == unix.NLMSG_ERROR && len(answer) >= unix.SizeofNlMsghdr+4:
		return 0, true, syscall.Errno(-int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:]))) //nolint:gosec // a negative number of an error
	}
	return 0, true, errors.New("the kernel's answer cannot be read")
}
