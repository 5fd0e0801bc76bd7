package endpoint

import (
	"cmp"
	"time"
)

const (
	// longWindow is the longest time before the end of a session in which an SDK asks for a
	// new one at each call: that of botocore.
	//
	// https://github.com/boto/botocore/blob/1.43.67/botocore/credentials.py (RefreshableCredentials)
	longWindow = 15 * time.Minute
	// lastRenewal is how long before the end of the ID token a credential is renewed for the
	// last time, so that after_script has one that lasts.
	lastRenewal = time.Minute
	// least is the shortest time between two tries to renew a credential.
	least = 5 * time.Second
)

// before returns how long before its end a credential with that life is renewed. Of wishes
// the longest is 0: then it is half of the life, or longWindow if that is more, and at most
// two thirds of the life.
func before(life, wish time.Duration) time.Duration {
	return cmp.Or(wish, min(max(longWindow, life/2), life*2/3))
}

// Due returns when the first source of the order is renewed. If none is, ok is false.
func (o Order) Due() (first time.Time, ok bool) {
	for _, s := range o.Sources {
		due, renewed := s.Due(o.Ends, o.Early)
		if renewed && (!ok || due.Before(first)) {
			first, ok = due, true
		}
	}
	return first, ok
}

// Due returns when a source is renewed. A source whose credential does not expire is never
// renewed; nor is one whose ID token ends before that, except once shortly before the end of
// the token. Early is from 0 to 1: it spreads the renewals of jobs that have begun together.
func (s Source) Due(ends time.Time, early float64) (due time.Time, ok bool) {
	c := s.Credential
	if c.Served == nil || c.Expires.IsZero() {
		return time.Time{}, false
	}
	life := c.Expires.Sub(c.Served.Since)
	wait := life - before(life, s.Order.Renew)
	wait = max(wait-time.Duration(float64(wait)*early/10), least)
	due = c.Served.Since.Add(wait)
	last := ends.Add(-lastRenewal)
	if ends.IsZero() || due.Before(last) {
		return due, true
	}
	return last, c.Served.Since.Before(last)
}
