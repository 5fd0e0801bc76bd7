package broker

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxClients bounds the connections at once.
	maxClients = 4096
	// An address may fail so often a second, and so often at once, before its tokens that no
	// session is kept for are refused unread.
	failures     = 20
	failuresOnce = 200
	// maxAddresses bounds how many addresses are remembered. When there are more, all are
	// forgotten.
	maxAddresses = 16 << 10
)

// clients bound what clients can use up.
type clients struct {
	connected atomic.Int32

	mu     sync.Mutex // guards failed
	failed map[netip.Addr]*rate.Limiter
}

// newClients returns bounds of clients of which nobody has failed.
func newClients() *clients { return &clients{failed: map[netip.Addr]*rate.Limiter{}} }

// count closes connections beyond maxClients. It is that of an http.Server.
func (c *clients) count(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if c.connected.Add(1) > maxClients {
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		c.connected.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// mayTry reports whether an address has not failed too often.
func (c *clients) mayTry(a netip.Addr, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.failed[a]
	return l == nil || l.TokensAt(now) >= 1
}

// fail notes that a request of an address has failed.
func (c *clients) fail(a netip.Addr, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.failed[a]
	if l == nil {
		if len(c.failed) >= maxAddresses {
			clear(c.failed)
		}
		l = rate.NewLimiter(failures, failuresOnce)
		c.failed[a] = l
	}
	l.AllowN(now, 1)
}
