package history

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
)

// Refusal is a decision by which a job got nothing.
type Refusal struct {
	Job

	Time    time.Time  `json:"time"`
	Event   audit.Kind `json:"event"` // decision or withdrawn
	Host    string     `json:"host,omitempty"`
	Program string     `json:"program,omitempty"`
	Tenant  string     `json:"tenant,omitempty"`
	Rule    string     `json:"rule,omitempty"`
	Code    string     `json:"code,omitempty"`
	Side    string     `json:"side,omitempty"`
	Reason  string     `json:"reason,omitempty"`
}

// Count is how many jobs got nothing for one reason.
type Count struct {
	Tenant string `json:"tenant,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Code   string `json:"code,omitempty"`
	Jobs   int    `json:"count"`
}

// Refused is what a log says of jobs that got nothing.
type Refused struct {
	Refusals []Refusal `json:"refused"`        // the newest first
	More     int       `json:"more,omitempty"` // how many older ones there are
	Counts   []Count   `json:"counts"`         // of all, the most frequent first
}

// RefusedSince returns the decisions since a time by which jobs of a tenant got nothing; without
// a tenant, those by which any job did.
func RefusedSince(log *reading.Log, since time.Time, tenant string) Refused {
	all := Refused{Refusals: []Refusal{}}
	counts := Tally{}
	for e := range log.Newest(reading.Filter{Any: [][]byte{[]byte(`"allowed":false`)}, Since: since}) {
		if !refuses(e) || tenant != "" && e.Tenant != tenant {
			continue
		}
		counts.Add(Count{Tenant: e.Tenant, Rule: e.Rule, Code: string(e.Code)})
		if len(all.Refusals) < Most {
			all.Refusals = append(all.Refusals, refusalOf(e))
		} else {
			all.More++
		}
	}
	all.Counts = counts.Sorted()
	return all
}

// refuses reports whether a line says that a job got nothing.
func refuses(e audit.Event) bool {
	return (e.Event == audit.Decision || e.Event == audit.Withdrawn) && e.Allowed != nil && !*e.Allowed
}

// refusalOf returns the refusal that a line is about.
func refusalOf(e audit.Event) Refusal {
	return Refusal{JobOf(e), e.Time, e.Event, e.Host, e.Program, e.Tenant, e.Rule, string(e.Code), string(e.Side), e.Reason}
}

// Tally counts by reason.
type Tally map[Count]int

// Add counts one more of a kind. Beyond a bound, kinds that are new are counted as one: authors
// must not fill the memory with names of tenants.
func (t Tally) Add(kind Count) {
	if _, known := t[kind]; !known && len(t) >= Most {
		kind = Count{Rule: "others"}
	}
	t[kind]++
}

// Sorted returns the counts, the greatest first.
func (t Tally) Sorted() []Count {
	all := make([]Count, 0, len(t))
	for kind, n := range t {
		kind.Jobs = n
		all = append(all, kind)
	}
	slices.SortFunc(all, func(a, b Count) int {
		return cmp.Or(b.Jobs-a.Jobs, strings.Compare(a.Tenant, b.Tenant), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Code, b.Code))
	})
	return all
}
