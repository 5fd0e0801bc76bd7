package peer

import "net/netip"

// Leave sends the request of UID and leaves the answer in the socket.
func (l *Lookup) Leave(client, server netip.AddrPort) error {
	return l.send(newRequest(client, server, l.sequence+1))
}
