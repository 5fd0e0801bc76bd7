package sts

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"rolecall/internal/creds/aws"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// counting returns the URL of an STS, and how many connections it has got.
func counting(t *testing.T) (string, *atomic.Int32) {
	t.Helper()
	fake, err := fakests.Start()
	kit.Must(t, err)
	t.Cleanup(fake.Close)
	connections := new(atomic.Int32)
	server := httptest.NewUnstartedServer(fake)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, connections
}

// TestLasting: calls of a provider that lasts share a connection, and what they have read of the
// environment. Each counts its own tries.
func TestLasting(t *testing.T) {
	t.Parallel()
	url, connections := counting(t)
	role, err := aws.ParseRole("arn:aws:iam::111122223333:role/a")
	kit.Must(t, err)
	request := Request{Role: role, Session: "s", Region: "eu-central-1", Token: idtoken.Token{Raw: mask.NewSecret("t")}}
	for _, test := range []struct {
		provider Provider
		want     int32
	}{{NewProvider().Lasting(), 1}, {NewProvider(), 5}} {
		before := connections.Load()
		client := test.provider.client
		client.Endpoint, client.Region = url, "eu-central-1"
		for range 5 {
			_, err := client.Assume(t.Context(), request)
			kit.Must(t, err)
			if _, g, err := client.load(t.Context()); err != nil || g.Tries() != 0 {
				t.Errorf("%v, a call begins with %d tries", err, g.Tries())
			}
		}
		if made := connections.Load() - before; made != test.want {
			t.Errorf("%d connections were made, want %d", made, test.want)
		}
	}
}

// TestLastingServers: another server is another configuration, and there are not too many of them.
func TestLastingServers(t *testing.T) {
	t.Parallel()
	client := NewProvider().Lasting().client
	var loading sync.WaitGroup
	for i := range 3 * maxLoaded {
		loading.Go(func() {
			one := client
			one.Region = fmt.Sprintf("eu-%d", i)
			cfg, _, err := one.load(t.Context())
			if err != nil || cfg.Region != one.Region {
				t.Errorf("%v, region %s", err, cfg.Region)
			}
		})
	}
	loading.Wait()
	if n := len(client.loaded.all); n == 0 || n > maxLoaded {
		t.Errorf("%d configurations are kept", n)
	}
	client.CABundle = []byte("none")
	if _, _, err := client.load(t.Context()); err == nil {
		t.Error("a CA bundle that is none is taken")
	}
}
