// Package live knows the jobs that run on this host now.
package live

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rolecall/internal/admin/history"
	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
	"rolecall/internal/state"
)

// Job is a job that runs now.
type Job struct {
	history.Job

	Tenant  string    `json:"tenant,omitempty"` // empty: it has no credentials
	Since   time.Time `json:"since,omitzero"`   // when it was prepared
	Until   time.Time `json:"until,omitzero"`   // until when the first of its credentials is valid that it has now
	Keys    []string  `json:"access_key_ids,omitempty"`
	Stage   string    `json:"stage,omitempty"` // that runs now; empty: none, or it is not known
	Backend string    `json:"backend,omitempty"`
}

// Roots returns the folders that may hold the state of jobs, with that of a policy file.
func Roots(chosen string) []string {
	if chosen != "" {
		return []string{chosen}
	}
	return state.Roots()
}

// Jobs returns the jobs that run now, those that were prepared first at the beginning. Beside an
// error it returns those that could be read.
func Jobs(roots []string) ([]Job, error) {
	jobs, problems := []Job{}, error(nil)
	for _, root := range roots {
		found, err := state.Jobs(root)
		problems = errors.Join(problems, err)
		for _, j := range found {
			if j.Live {
				jobs = append(jobs, jobOf(j))
			}
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int { return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID)) })
	return jobs, problems
}

// jobOf returns what the record of a job says.
func jobOf(j state.Job) Job {
	var e audit.Event
	_ = json.Unmarshal(j.Record.Audit.Job, &e) // empty without an audit log
	e.JobID = j.ID.String()
	return Job{Job: history.JobOf(e), Tenant: j.Record.Tenant, Since: j.Record.Audit.Began, Stage: stageOf(j.Holders), Backend: j.Record.Backend}
}

// stageOf returns the stage that runs in one of these processes: the name of its program, and for
// a script that of the script.
func stageOf(pids []int) string {
	for _, pid := range pids {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // a process that has ended is passed over
		words := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		program, last := filepath.Base(words[0]), words[len(words)-1]
		if program == "run" && len(words) > 1 {
			return last
		}
		if slices.Contains([]string{"prepare", "cleanup"}, program) {
			return program
		}
	}
	return ""
}

// Join puts into jobs what an audit log says of their credentials.
func Join(log *reading.Log, jobs []Job) {
	began := map[history.Key]time.Time{}
	for _, j := range jobs {
		if j.Tenant != "" {
			began[j.Key()] = j.Since
		}
	}
	seen := map[string]bool{} // the newest session of each credential counts
	for _, s := range history.OfJobs(log, began) {
		of := fmt.Sprint(s.Key(), s.Provider, s.Source)
		i := slices.IndexFunc(jobs, func(j Job) bool { return j.Key() == s.Key() })
		if seen[of] || i < 0 {
			continue
		}
		seen[of] = true
		jobs[i].add(s)
	}
}

// add puts a session into a job.
func (j *Job) add(s history.Session) {
	if s.AccessKeyID != "" {
		j.Keys = append(j.Keys, s.AccessKeyID)
	}
	if j.Until.IsZero() || !s.Expires.IsZero() && s.Expires.Before(j.Until) {
		j.Until = s.Expires
	}
}

// Without returns the sessions that are not those which a job that runs has, and which nobody has
// revoked.
func Without(jobs []Job, sessions []history.Session) []history.Session {
	return slices.DeleteFunc(sessions, func(s history.Session) bool {
		return !s.Revoked.IsZero() || s.End == nil && slices.ContainsFunc(jobs, func(j Job) bool { return j.Key() == s.Key() })
	})
}
