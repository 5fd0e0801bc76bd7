package serve

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"

	"rolecall/internal/endpoint"
)

// Run serves an order to those who connect to a listener, and talks by in and out. All
// clients are of one user.
func Run(order endpoint.Order, in io.Reader, out io.Writer, l net.Listener, by Issuer) error {
	me := func(netip.AddrPort, netip.AddrPort) (uint32, error) { return uint32(os.Geteuid()), nil }
	return service{order, newLink(json.NewDecoder(in), out, order.Suspended), []Issuer{by}, me}.run(context.Background(), l)
}

// RunFor serves an order until in ends, to clients whose users userOf tells.
func RunFor(order endpoint.Order, in io.Reader, l net.Listener, userOf UserOf) error {
	return service{order, newLink(json.NewDecoder(in), io.Discard, order.Suspended), nil, userOf}.run(context.Background(), l)
}

// MaxClients is maxClients.
const MaxClients = maxClients
