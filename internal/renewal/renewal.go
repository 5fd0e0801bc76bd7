// Package renewal says when a credential is renewed: before the SDKs of AWS begin to ask for
// a new one, and once more before the ID token ends that pays for it.
package renewal

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
	// last time, so that the end of a job has one that lasts.
	lastRenewal = time.Minute
	// least is the shortest time between two tries to renew a credential.
	least = 5 * time.Second
)

// Session is what the time of a renewal depends on.
type Session struct {
	Since, Expires time.Time     // of the credential; Expires is zero if it does not expire
	Before         time.Duration // how long before its end it is renewed; 0: half of its life, or longWindow if that is more, and at most two thirds
	Ends           time.Time     // when the ID token ends; zero: it does not
	Early          float64       // from 0 to 1: spreads the renewals of jobs that have begun together
}

// Due returns when the session is renewed. If ok is false, it is not: it does not expire, or
// the ID token ends before, and the last renewal before that end has been.
func (s Session) Due() (due time.Time, ok bool) {
	if s.Expires.IsZero() {
		return time.Time{}, false
	}
	life := s.Expires.Sub(s.Since)
	wait := life - before(life, s.Before)
	wait = max(wait-time.Duration(float64(wait)*s.Early/10), least)
	due = s.Since.Add(wait)
	last := s.Ends.Add(-lastRenewal)
	if s.Ends.IsZero() || due.Before(last) {
		return due, true
	}
	return last, s.Since.Before(last)
}

// before returns how long before its end a credential with that life is renewed. Of wishes
// the longest is 0: then it is half of the life, or longWindow if that is more, and at most
// two thirds of the life.
func before(life, wish time.Duration) time.Duration {
	return cmp.Or(wish, min(max(longWindow, life/2), life*2/3))
}
