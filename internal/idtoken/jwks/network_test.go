package jwks_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestIPv6: the keys may be at an address of IPv6.
func TestIPv6(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, func(handler http.Handler) *httptest.Server {
		server := httptest.NewUnstartedServer(handler)
		kit.ListenIPv6(t, server)
		server.Start()
		return server
	})
	if !strings.HasPrefix(i.URL, "http://[::1]:") {
		t.Fatal(i.URL)
	}
	verified(t, source(t, i.URL), token(t, i.URL))
	i.keys = http.NotFound
	refused(t, source(t, i.URL), token(t, i.URL), fault.Infrastructure, "no keys of "+i.URL)
}

// gateway is a proxy that connects every CONNECT to one address, or refuses it.
type gateway struct {
	address string
	refuses atomic.Bool
	asked   atomic.Value // the last request
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Store(r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization"))
	there, err := net.Dial("tcp", g.address)
	if err != nil || g.refuses.Load() {
		http.Error(w, "hunter2", http.StatusProxyAuthRequired)
		return
	}
	defer func() { _ = there.Close() }()
	w.WriteHeader(http.StatusOK)
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = here.Close() }()
	go func() { _, _ = io.Copy(there, here) }()
	_, _ = io.Copy(here, there)
}

// TestProxy: the keys come through the proxy of the service, which gets its password. No
// error shows the password. The test runs in a child, since a process reads the variables
// of proxies only once.
func TestProxy(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	const name = "https://gitlab.example.com"
	i := newIssuer(t, httptest.NewTLSServer)
	i.discovery = func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": name, "jwks_uri": name + "/keys"})
	}
	g := &gateway{address: i.Listener.Addr().String()}
	proxy := httptest.NewServer(g)
	t.Cleanup(proxy.CloseClientConnections)
	t.Setenv("HTTPS_PROXY", strings.Replace(proxy.URL, "http://", "http://user:hunter2@", 1))
	s := source(t, name)
	s.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	verified(t, s, token(t, name))
	if want := "CONNECT gitlab.example.com:443 Basic " + base64.StdEncoding.EncodeToString([]byte("user:hunter2")); g.asked.Load() != want {
		t.Errorf("the proxy was asked %q, want %q", g.asked.Load(), want)
	}
	g.refuses.Store(true)
	_, err := source(t, name).Verify(t.Context(), token(t, name))
	if err == nil || fault.SideOf(err) != fault.Infrastructure || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "gitlab.example.com: the request did not go through") {
		t.Errorf("of a proxy that refuses: %v", err)
	}
}
