package history

import (
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
)

// Totals are how many lines of each kind a log has.
type Totals struct {
	Sessions []Count `json:"sessions"` // by tenant: those that were issued, without renewals
	Refusals []Count `json:"refusals"` // by tenant, rule and code
	Failures []Count `json:"failures"` // by tenant and code: what was allowed and failed
}

// Total counts the lines of a log since a time.
func Total(log *reading.Log, since time.Time) Totals {
	sessions, refusals, failures := Tally{}, Tally{}, Tally{}
	kinds := reading.Of(audit.Issued, audit.Decision, audit.Withdrawn, audit.Failed, audit.RevokeFailed, audit.UploadRefused)
	for e := range log.Newest(reading.Filter{Any: kinds, Since: since}) {
		switch {
		case e.Event == audit.Issued:
			sessions.Add(Count{Tenant: e.Tenant})
		case refuses(e):
			refusals.Add(Count{Tenant: e.Tenant, Rule: e.Rule, Code: string(e.Code)})
		case e.Event == audit.Failed, e.Event == audit.RevokeFailed, e.Event == audit.UploadRefused:
			failures.Add(Count{Tenant: e.Tenant, Rule: string(e.Event), Code: string(e.Code)})
		}
	}
	return Totals{sessions.Sorted(), refusals.Sorted(), failures.Sorted()}
}
