// Package quota bounds how many credentials the jobs of a tenant and a project ask for in a
// minute: a loop of jobs that are tried again and again must not use up what a server takes of
// an account.
package quota

import (
	"errors"
	"fmt"
	"time"

	"rolecall/internal/fault"
)

// Window is the time in which requests are counted.
const Window = time.Minute

// Quota is the bound of a tenant and a project.
type Quota struct {
	Tenant    string
	Project   int64
	PerMinute uint64 // 0: no bound
}

// Request is how many credentials were asked for at a time.
type Request struct {
	At time.Time
	N  int
}

// Counts reports whether a request is one of the last minute. One that lies in the future is
// not: the clock was set back.
func (r Request) Counts(now time.Time) bool { return now.Sub(r.At).Abs() < Window }

// Wait returns how long n more credentials must wait; 0: they need not. More than the bound
// itself need an empty minute. Asked has the requests of the last minute, the oldest first.
func (q Quota) Wait(asked []Request, n int, now time.Time) time.Duration {
	sum := uint64(max(n, 0))
	for _, r := range asked {
		sum += uint64(r.N) //nolint:gosec // not negative
	}
	wait := time.Duration(0)
	for _, r := range asked {
		if sum <= q.PerMinute {
			break
		}
		sum -= uint64(r.N) //nolint:gosec // not negative
		wait = max(wait, r.At.Add(Window).Sub(now))
	}
	return wait
}

// Refuse returns the refusal to ask for more credentials before a time is over, a
// fault.TooMany.
func (q Quota) Refuse(wait time.Duration) error {
	return fault.New(fault.TooMany, errors.New("too many credentials were asked for in a minute"),
		"let jobs that are tried again wait; or let the runner's admin raise max_requests_per_minute of the policy file").
		Detail("limit", fmt.Sprintf("%d a minute, for tenant %q and project %d on this host", q.PerMinute, q.Tenant, q.Project)).
		With("try again", fmt.Sprintf("in %v", max(wait.Round(time.Second), time.Second)))
}
