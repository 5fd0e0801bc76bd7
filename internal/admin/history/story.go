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

	Events []audit.Event `json:"events"`         // the oldest first
	More   int           `json:"more,omitempty"` // how many are left out, after the first half of Events

	decision *audit.Event // the last one
}

// Half is how many of the oldest lines, and of the newest, a Story has of a job with very many of them.
const Half = Most / 2

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
		s.cut(Most)
		all = append(all, *s)
	}
	slices.SortFunc(all, func(a, b Story) int {
		return cmp.Or(a.Events[0].Time.Compare(b.Events[0].Time), strings.Compare(a.Issuer, b.Issuer))
	})
	return all
}

// add adds a line to a story. The last line with a ref says the most of the job. Of very many lines
// those in the middle go: they are renewals.
func (s *Story) add(j Job, e audit.Event) {
	if s.ID == "" || j.Ref != "" {
		s.Job = j
	}
	if e.Event == audit.Decision {
		s.decision = &e
	}
	s.cut(2*Most - 1)
	s.Events = append(s.Events, e)
}

// cut leaves the first and the last lines, if there are more than so many.
func (s *Story) cut(most int) {
	if len(s.Events) > most {
		s.More += len(s.Events) - Most
		s.Events = slices.Delete(s.Events, Half, len(s.Events)-Half)
	}
}

// Decision returns the last decision about the job, and whether there is one.
func (s Story) Decision() (audit.Event, bool) {
	if s.decision == nil {
		return audit.Event{}, false
	}
	return *s.decision, true
}

// Hosts returns the hosts that have written lines about the job, sorted.
func (s Story) Hosts() []string {
	hosts := map[string]bool{}
	for _, e := range s.Events {
		hosts[e.Host] = true
	}
	return slices.Sorted(maps.Keys(hosts))
}
