// Package history answers questions from an audit log: who had a session, what a job did, which
// jobs got nothing. The memory that an answer needs does not grow with the log.
package history

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
)

// Most bounds how many sessions, lines or jobs an answer has.
const Most = 1000

// Key tells jobs apart: two GitLab servers may have jobs of one id.
type Key struct{ Issuer, ID string }

// Job is what a log says of a job. The fields have the names of the log.
type Job struct {
	ID           string `json:"job_id"`
	Issuer       string `json:"iss,omitempty"`
	PipelineID   string `json:"pipeline_id,omitempty"`
	ProjectID    string `json:"job_project_id,omitempty"`
	Project      string `json:"job_project_path,omitempty"` // that runs the job
	Fork         string `json:"project_path,omitempty"`     // whose commit it is of, if that is another one
	Ref          string `json:"ref,omitempty"`
	RefType      string `json:"ref_type,omitempty"`
	RefProtected string `json:"ref_protected,omitempty"`
	Environment  string `json:"environment,omitempty"`
	UserID       string `json:"user_id,omitempty"`
	UserLogin    string `json:"user_login,omitempty"`
	RunnerID     string `json:"runner_id,omitempty"`
}

// JobOf returns the job that a line is about.
func JobOf(e audit.Event) Job {
	j := Job{
		ID: e.JobID, Issuer: e.Issuer, PipelineID: e.PipelineID,
		ProjectID: cmp.Or(e.JobProjectID, e.ProjectID), Project: cmp.Or(e.JobProjectPath, e.ProjectPath), Fork: e.ProjectPath,
		Ref: e.Ref, RefType: e.RefType, RefProtected: e.RefProtected, Environment: e.Environment,
		UserID: e.UserID, UserLogin: e.UserLogin, RunnerID: e.RunnerID,
	}
	if j.Fork == j.Project {
		j.Fork = ""
	}
	return j
}

// Key returns what tells the job from others.
func (j Job) Key() Key { return Key{j.Issuer, j.ID} }

// Begins returns when the oldest line of a log was written, and the zero time if it has none.
func Begins(log *reading.Log) time.Time {
	for e := range log.Oldest(reading.Filter{}) {
		return e.Time
	}
	return time.Time{}
}

// fewIDs is how many ids a filter looks for in each line: with more of them parsing is faster.
const fewIDs = 20

// about returns a filter for lines of these kinds, or of these jobs if they are few.
func about(ids map[string]bool, since time.Time, kinds ...audit.Kind) reading.Filter {
	filter := reading.Filter{Any: reading.Of(kinds...), Since: since}
	if len(ids) > fewIDs {
		return filter
	}
	filter.Any = [][]byte{}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		filter.Any = append(filter.Any, reading.Field("job_id", id))
	}
	return filter
}
