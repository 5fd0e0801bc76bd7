package live

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
	"rolecall/internal/handover"
	"rolecall/internal/state"
)

// longestAge is how long what was handed over can stay, at most.
const longestAge = 7 * 24 * time.Hour

// Handed is what a job has handed over to later jobs. It has no value.
type Handed struct {
	Store    string    `json:"store"`
	Tenant   string    `json:"tenant"`
	Project  string    `json:"project"` // its id, or its path where the log has that
	Pipeline string    `json:"pipeline_id"`
	Class    string    `json:"class"`
	Job      string    `json:"job,omitempty"` // its name; empty: the log has no names of jobs
	JobID    string    `json:"job_id"`
	Names    []string  `json:"names"`
	Secrets  []string  `json:"secrets,omitempty"` // those of Names that are secrets, where that is known
	More     int       `json:"more,omitempty"`    // how many more names there are
	At       time.Time `json:"at"`
	Until    time.Time `json:"until"`
	Bytes    int64     `json:"bytes,omitempty"` // 0: not known
	Spent    bool      `json:"expired,omitempty"`
}

// HandedHere returns what jobs have handed over on this host, the oldest first. Beside an error it
// returns what could be read.
func HandedHere(roots []string) (all []Handed, problems error) {
	for _, root := range roots {
		found, err := state.AllHanded(root)
		problems = errors.Join(problems, err)
		for _, f := range found {
			h := Handed{
				Store: handover.Local, Tenant: f.Scope.Tenant, Project: f.Scope.Project, Pipeline: f.Scope.Pipeline, Class: f.Scope.Class, Job: f.Job,
				JobID: strconv.FormatInt(f.JobID, 10), Names: f.Names, At: f.At, Until: f.Until, Bytes: f.Bytes, Spent: f.Spent,
			}
			for i, secret := range f.Secret {
				if secret {
					h.Secrets = append(h.Secrets, f.Names[i])
				}
			}
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b Handed) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.JobID, b.JobID)) })
	return all, problems
}

// HandedFar returns what jobs of this host have handed over by stores on other hosts and has not
// expired, as the log says, the oldest first.
func HandedFar(log *reading.Log, now time.Time) []Handed {
	var all []Handed
	f := reading.Filter{Any: reading.Of(audit.HandedOver), Since: now.Add(-longestAge)}
	for e := range log.Newest(f) {
		if e.Event != audit.HandedOver || e.Store == handover.Local || !e.Until.After(now) {
			continue
		}
		class := "unprotected"
		if e.RefProtected == "true" {
			class = "protected"
		}
		all = append(all, Handed{
			Store: e.Store, Tenant: e.Tenant, Project: e.ProjectPath, Pipeline: e.PipelineID, Class: class, JobID: e.JobID,
			Names: e.Names, More: e.More, At: e.Time, Until: e.Until,
		})
	}
	slices.Reverse(all)
	return all
}
