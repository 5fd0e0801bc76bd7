package history

import (
	"slices"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
)

// Session is a credential that was issued to a job.
type Session struct {
	Job

	Tenant      string    `json:"tenant"`
	Provider    string    `json:"provider,omitempty"`
	Source      string    `json:"source,omitempty"` // of the tenant; empty: the tenant's own
	Role        string    `json:"role_arn,omitempty"`
	Chain       []string  `json:"chain,omitempty"`
	Name        string    `json:"role_session_name,omitempty"`
	AccessKeyID string    `json:"access_key_id,omitempty"`
	Issued      time.Time `json:"issued"`
	Renewed     bool      `json:"renewed,omitempty"` // it has replaced one of the same job
	Expires     time.Time `json:"expiration,omitzero"`
	Host        string    `json:"host,omitempty"`
	Program     string    `json:"program,omitempty"`
	Client      string    `json:"client,omitempty"` // of a broker
	End         *End      `json:"end,omitempty"`    // of its job; nil: the log does not say that it has ended
	Revoked     time.Time `json:"revoked,omitzero"` // by the server that has issued it
}

// End is how a job has ended.
type End struct {
	Time    time.Time  `json:"time"`
	Event   audit.Kind `json:"event"`
	Program string     `json:"program,omitempty"`
}

// sessionOf returns the session that a line is about.
func sessionOf(e audit.Event) Session {
	return Session{
		Job: JobOf(e), Tenant: e.Tenant, Provider: e.Provider, Source: e.Source, Role: e.RoleARN, Chain: e.Chain, Name: e.RoleSessionName,
		AccessKeyID: e.AccessKeyID, Issued: e.Time, Renewed: e.Event == audit.Renewed, Expires: e.Expiration,
		Host: e.Host, Program: e.Program, Client: e.Client,
	}
}

// Who returns the sessions that have an access key id, a name or a job of this text, the newest
// first, and whether there are more of them.
func Who(log *reading.Log, text string) (found []Session, more bool) {
	filter := reading.Filter{Any: [][]byte{
		reading.Field("access_key_id", text), reading.Field("role_session_name", text), reading.Field("job_id", text),
	}}
	return issued(log, filter, func(s Session) bool {
		return text != "" && slices.Contains([]string{s.AccessKeyID, s.Name, s.ID}, text)
	})
}

// Valid returns the sessions that were issued since a time and are valid at another, and whether
// there are more.
func Valid(log *reading.Log, since, at time.Time) (found []Session, more bool) {
	return issued(log, reading.Filter{Any: reading.Of(audit.Issued, audit.Renewed), Since: since}, func(s Session) bool {
		return s.Expires.After(at)
	})
}

// OfJobs returns the sessions of jobs that have begun at these times, the newest first.
func OfJobs(log *reading.Log, began map[Key]time.Time) []Session {
	ids, since := map[string]bool{}, time.Time{}
	for key, at := range began {
		ids[key.ID] = true
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, _ := issued(log, about(ids, since, audit.Issued, audit.Renewed), func(s Session) bool {
		at, ok := began[s.Key()]
		return ok && !s.Issued.Before(at)
	})
	return found
}

// issued returns the sessions of a log that are wanted, the newest first, and whether there are
// more than an answer has.
func issued(log *reading.Log, filter reading.Filter, want func(Session) bool) (found []Session, more bool) {
	for e := range log.Newest(filter) {
		if e.Event != audit.Issued && e.Event != audit.Renewed {
			continue
		}
		s := sessionOf(e)
		if !want(s) {
			continue
		}
		if len(found) == Most {
			return found, true
		}
		found = append(found, s)
	}
	return found, false
}

// Close fills in how the jobs of sessions have ended. Sessions are the newest first.
func Close(log *reading.Log, sessions []Session) {
	if len(sessions) == 0 {
		return
	}
	of, ids := map[Key][]*Session{}, map[string]bool{}
	for i := range sessions {
		s := &sessions[i]
		of[s.Key()], ids[s.ID] = append(of[s.Key()], s), true
	}
	since := sessions[len(sessions)-1].Issued
	for e := range log.Newest(about(ids, since, audit.Ended, audit.Removed, audit.Withdrawn, audit.Revoked)) {
		for _, s := range of[JobOf(e).Key()] {
			s.close(e)
		}
	}
}

// close fills in what a line says of the end of a session. Lines come the newest first: so the
// first end after the session was issued is the one that stays.
func (s *Session) close(e audit.Event) {
	if e.Time.Before(s.Issued) || e.Event == audit.Withdrawn && e.Stage != "" { // a script was ended, and the job ends later
		return
	}
	switch e.Event {
	case audit.Ended, audit.Removed, audit.Withdrawn:
		s.End = &End{e.Time, e.Event, e.Program}
	case audit.Revoked:
		if e.Source == s.Source && e.Provider == s.Provider {
			s.Revoked = e.Time
		}
	}
}
