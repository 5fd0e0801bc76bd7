package broker

import (
	"slices"
	"sync"
	"time"

	"rolecall/internal/quota"
)

// quotas count what the tokens of tenants and projects have asked for in the last minute.
type quotas struct {
	mu    sync.Mutex // guards asked
	asked map[project][]quota.Request
}

// project is a project of a tenant.
type project struct {
	tenant string
	id     int64
}

// newQuotas returns quotas that have counted nothing.
func newQuotas() *quotas { return &quotas{asked: map[project][]quota.Request{}} }

// take counts one credential for a job. If it is bounded and there are too many, take counts
// none and returns a fault.TooMany.
func (q *quotas) take(one admitted, bounded bool) error {
	bound := quota.Quota{Tenant: string(one.Grant.Tenant), Project: one.project, PerMinute: one.Grant.Requests}
	if bound.PerMinute == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	at, now := project{bound.Tenant, bound.Project}, time.Now()
	q.forget(now)
	if wait := bound.Wait(q.asked[at], 1, now); bounded && wait > 0 {
		return bound.Refuse(wait)
	}
	q.asked[at] = append(q.asked[at], quota.Request{At: now, N: 1})
	return nil
}

// forget drops what is older than the last minute. The caller holds the lock.
func (q *quotas) forget(now time.Time) {
	for at, asked := range q.asked {
		asked = slices.DeleteFunc(asked, func(r quota.Request) bool { return !r.Counts(now) })
		if q.asked[at] = asked; len(asked) == 0 {
			delete(q.asked, at)
		}
	}
}
