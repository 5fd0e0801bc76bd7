package broker

import (
	"net/netip"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/quota"
	"rolecall/internal/session"
	"rolecall/test/kit"
)

// TestAddresses: many addresses that fail take bounded memory.
func TestAddresses(t *testing.T) {
	t.Parallel()
	c := newClients()
	now := time.Now()
	first := netip.MustParseAddr("10.0.0.1")
	for range failuresOnce {
		if !c.mayTry(first, now) {
			t.Fatal("an address is refused before it has failed often enough")
		}
		c.fail(first, now)
	}
	if c.mayTry(first, now) || !c.mayTry(first, now.Add(time.Second/failures)) || c.mayTry(netip.MustParseAddr("::ffff:10.0.0.1"), now) {
		t.Error("the bound of an address is not kept")
	}
	at := first
	for range maxAddresses {
		at = at.Next()
		c.fail(at, now)
	}
	if len(c.failed) > maxAddresses {
		t.Errorf("%d addresses are remembered", len(c.failed))
	}
	c.fail(netip.Addr{}, now) // nobody's
}

// TestEach: connections are counted in all and by address, and forgotten.
func TestEach(t *testing.T) {
	t.Parallel()
	c := newClients()
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	for range maxEach {
		if !c.enter(a) {
			t.Fatal("a connection within the bound is refused")
		}
	}
	if c.enter(a) || !c.enter(b) {
		t.Error("the bound of an address is not kept")
	}
	for range maxClients {
		b = b.Next()
		c.enter(b)
	}
	if b = b.Next(); c.enter(b) {
		t.Error("the bound of all is not kept")
	}
	for at, n := range c.each {
		for range n {
			c.leave(at)
		}
	}
	if len(c.each) != 0 || c.connected != 0 {
		t.Errorf("%d addresses and %d connections are left", len(c.each), c.connected)
	}
}

// TestQuotas: requests of a project of a tenant are counted for a minute, those that are not bounded
// too, and those that were refused not.
func TestQuotas(t *testing.T) {
	t.Parallel()
	q := newQuotas()
	job := func(name string, id int64, most uint64) admitted {
		one := admitted{&session.Session{}, id}
		one.Grant.Tenant, one.Grant.Requests = "alpha", most
		if name != "" {
			one.Grant.Tenant = "beta"
		}
		return one
	}
	for i, step := range []struct {
		job     admitted
		bounded bool
		refused bool
	}{
		{job("", 1, 2), true, false},
		{job("", 1, 2), false, false},
		{job("", 1, 2), true, true},
		{job("", 1, 2), false, false},
		{job("", 2, 2), true, false},
		{job("beta", 1, 2), true, false},
		{job("", 1, 0), true, false},
		{job("", 1, 4), true, false},
		{job("", 1, 4), true, true},
	} {
		if err := q.take(step.job, step.bounded); (fault.CodeOf(err) == fault.TooMany) != step.refused || (err == nil) == step.refused {
			t.Errorf("step %d: %v", i, err)
		}
	}
	old := project{"old", 1}
	q.asked[old] = []quota.Request{{At: time.Now().Add(-time.Minute), N: 1}}
	kit.Must(t, q.take(job("", 3, 2), true))
	if _, kept := q.asked[old]; kept {
		t.Error("what is older than a minute is kept")
	}
	q.forget(time.Now().Add(time.Minute))
	if len(q.asked) != 0 {
		t.Errorf("after a minute there is %v", q.asked)
	}
}
