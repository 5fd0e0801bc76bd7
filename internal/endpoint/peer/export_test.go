package peer

import "net/netip"

// Leave sends the request of UID and leaves the answer in the socket.
func (l *Lookup) Leave(client, server netip.AddrPort) error {
	return l.send(newRequest(client, server, l.sequence+1))
}

// Parse is parse for a request with that sequence, and with no ports.
func Parse(answer []byte, sequence uint32) (uid uint32, mine bool, err error) {
	return parse(answer, requestOf(sequence))
}

// Receive reads messages up to the answer to such a request.
func (l *Lookup) Receive(sequence uint32) (uint32, error) { return l.receive(requestOf(sequence)) }

// requestOf returns a request with that sequence.
func requestOf(sequence uint32) request {
	var r request
	r.Seq = sequence
	return r
}
