package broker

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxClients bounds the connections at once, and maxEach those of one address.
	maxClients = 4096
	maxEach    = 1024
	// So many tokens of an address may be refused in a second, and so many at once, before its
	// tokens that no session is kept for are refused unread.
	failures     = 20
	failuresOnce = 200
	// maxAddresses bounds how many addresses are remembered. When there are more, all are
	// forgotten.
	maxAddresses = 16 << 10
	// network is how many bits of an IPv6 address say whose it is: its owner has all of the others.
	network = 64
)

// clients bound what clients can use up.
type clients struct {
	mu        sync.Mutex // guards what follows
	connected int
	each      map[netip.Addr]int // connections
	failed    map[netip.Addr]*rate.Limiter
}

// newClients returns bounds of clients of which nobody has failed.
func newClients() *clients {
	return &clients{each: map[netip.Addr]int{}, failed: map[netip.Addr]*rate.Limiter{}}
}

// ownerOf returns the address that stands for all addresses of a client.
func ownerOf(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is4() {
		return a
	}
	owner, _ := a.Prefix(network) // without an address it is none
	return owner.Addr()
}

// count closes connections beyond the bounds. It is that of an http.Server.
func (c *clients) count(conn net.Conn, state http.ConnState) {
	at, _ := netip.ParseAddrPort(conn.RemoteAddr().String()) // package net writes it
	switch state {
	case http.StateNew:
		if !c.enter(ownerOf(at.Addr())) {
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		c.leave(ownerOf(at.Addr()))
	case http.StateActive, http.StateIdle:
	}
}

// enter counts a connection, and reports whether it is within the bounds.
func (c *clients) enter(a netip.Addr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected++
	c.each[a]++
	return c.connected <= maxClients && c.each[a] <= maxEach
}

// leave counts the end of a connection.
func (c *clients) leave(a netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.connected--
	if c.each[a]--; c.each[a] <= 0 {
		delete(c.each, a)
	}
}

// mayTry reports whether not too many tokens of an address were refused.
func (c *clients) mayTry(a netip.Addr, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.failed[ownerOf(a)]
	return l == nil || l.TokensAt(now) >= 1
}

// fail notes that a token of an address was refused.
func (c *clients) fail(a netip.Addr, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a = ownerOf(a)
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
