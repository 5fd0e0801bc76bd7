package kit_test

import (
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// serveText answers requests to an address with a text.
func serveText(t *testing.T, address, text string) net.Addr {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	kit.Must(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return listener.Addr()
}

// TestNetwork: from a network of its own a program reaches the link-local addresses of its
// host, and of the host's loopback interface only what is forwarded.
func TestNetwork(t *testing.T) {
	t.Parallel()
	kit.NeedProgram(t, "curl", "curl")
	if !kit.InNetwork(t, "clients in a network of their own", kit.AddressECS, kit.AddressEKS) {
		return
	}
	serveText(t, kit.AddressECS+":80", "of ECS")
	serveText(t, kit.AddressEKS+":80", "of EKS")
	open, closed := serveText(t, "127.0.0.1:0", "forwarded").String(), serveText(t, "127.0.0.1:0", "not forwarded").String()
	relayed := strings.TrimPrefix(kit.Relay(t, kit.AddressEKS, "http://"+open), "http://")
	one, two := kit.NewNetwork(t), kit.NewNetwork(t)
	one.Forward(t, "http://"+open)
	tests := []struct {
		from          *kit.Network
		address, want string
	}{
		{one, kit.AddressECS, "of ECS"},
		{one, kit.AddressEKS, "of EKS"},
		{one, open, "forwarded"},
		{one, closed, ""},
		{two, kit.AddressEKS, "of EKS"},
		{two, open, ""},
		{two, relayed, "forwarded"},
	}
	for _, test := range tests {
		argv := append(test.from.Under(), "curl", "-s", "http://"+test.address)
		out, err := exec.Command(argv[0], argv[1:]...).Output()
		if string(out) != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v, want %q", test.address, out, err, test.want)
		}
	}
}
