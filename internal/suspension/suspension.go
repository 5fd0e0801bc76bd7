// Package suspension is the admins' kill switch: a file that says which tenants get nothing for
// now. All programs that give something read it each time, so that it counts at once.
package suspension

import (
	"errors"
	"fmt"
	"time"

	"rolecall/internal/fault"
)

// Suspension says that a tenant, or all tenants, get nothing.
type Suspension struct {
	Tenant string    `json:"tenant,omitempty"` // empty: All is true
	All    bool      `json:"all,omitempty"`    // all tenants, also those that the policy file will have
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // when it ends by itself; zero: it does not
	Now    bool      `json:"now,omitempty"`  // scripts that run are ended
	Reason string    `json:"reason,omitempty"`
	By     string    `json:"by,omitempty"` // the user who has suspended the tenant
}

// List is what the file holds.
type List []Suspension

// Of returns the suspension of a tenant at a time. One that ends scripts counts before one that
// does not. If there is none, ok is false.
func (l List) Of(tenant string, now time.Time) (found Suspension, ok bool) {
	for _, s := range l {
		if s.covers(tenant) && s.Holds(now) && (!ok || s.Now && !found.Now) {
			found, ok = s, true
		}
	}
	return found, ok
}

// covers reports whether the suspension is one of that tenant.
func (s Suspension) covers(tenant string) bool { return s.All || s.Tenant == tenant }

// Holds reports whether the suspension has not ended. It compares the clock, which may have been
// set, and does not ask since when the suspension holds.
func (s Suspension) Holds(now time.Time) bool {
	return s.Until.IsZero() || now.Round(0).Before(s.Until)
}

// refuse returns the error of a job whose tenant is suspended.
func (s Suspension) refuse() error {
	what := fmt.Errorf("tenant %q is suspended since %s", s.Tenant, clock(s.Since))
	if s.All {
		what = errors.New("all tenants are suspended since " + clock(s.Since))
	}
	return fault.New(fault.Suspended, what, "ask the runner's admin, and run the job again when that has ended").
		Detail("reason", s.Reason).With("until", s.ends())
}

// ends says when the suspension ends.
func (s Suspension) ends() string {
	if s.Until.IsZero() {
		return "the runner's admin ends it"
	}
	return clock(s.Until)
}

// clock returns a time for people.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
