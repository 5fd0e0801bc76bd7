package endpoint

import (
	"time"

	"rolecall/internal/renewal"
)

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

// Due returns when a source is renewed, as renewal.Session does. A source that is not served
// never is.
func (s Source) Due(ends time.Time, early float64) (due time.Time, ok bool) {
	c := s.Credential
	if c.Served == nil {
		return time.Time{}, false
	}
	return renewal.Session{Since: c.Served.Since, Expires: c.Expires, Before: s.Order.Renew, Ends: ends, Early: early}.Due()
}
