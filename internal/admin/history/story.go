package history

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
)

// Story is what a log has of one job.
type Story struct {
	Job

	Events []audit.Event `json:"events"` // the oldest first
	More   int           `json:"more,omitempty"`
}

// Stories returns what a log has of the jobs of one id: of each GitLab server that has such a job
// one story. Lines that do not say which server they are about make a story of their own.
func Stories(log *reading.Log, id string) []Story {
	stories := map[Key]*Story{}
	for e := range log.Oldest(reading.Filter{Any: [][]byte{reading.Field("job_id", id)}}) {
		if e.JobID != id {
			continue
		}
		j := JobOf(e)
		s := stories[j.Key()]
		if s == nil {
			if len(stories) == Most {
				continue // nobody has so many servers
			}
			s = &Story{}
			stories[j.Key()] = s
		}
		s.add(j, e)
	}
	var all []Story
	for _, s := range stories {
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Story) int {
		return cmp.Or(a.Events[0].Time.Compare(b.Events[0].Time), strings.Compare(a.Issuer, b.Issuer))
	})
	return all
}

// add adds a line to a story. The last line with a ref says the most of the job.
func (s *Story) add(j Job, e audit.Event) {
	if s.ID == "" || j.Ref != "" {
		s.Job = j
	}
	if len(s.Events) == Most {
		s.More++
		return
	}
	s.Events = append(s.Events, e)
}

// Decision returns the last decision about the job, and whether there is one.
func (s Story) Decision() (audit.Event, bool) {
	for _, e := range slices.Backward(s.Events) {
		if e.Event == audit.Decision {
			return e, true
		}
	}
	return audit.Event{}, false
}

// Hosts returns the hosts that have written lines about the job, sorted.
func (s Story) Hosts() []string {
	hosts := map[string]bool{}
	for _, e := range s.Events {
		hosts[e.Host] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}
