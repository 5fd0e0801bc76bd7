package prepare

import (
	"errors"
	"strconv"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
	"rolecall/internal/version"
)

// log is the audit log, with what is known of the job so far.
type log struct {
	audit.Log
	event audit.Event
}

// newLog returns the log at path for a job.
func newLog(path string, response job.Response) log {
	return log{audit.Log{Path: path}, audit.Event{
		Version:        version.Version,
		JobID:          response.ID.String(),
		PipelineID:     strconv.FormatInt(response.Pipeline, 10),
		JobProjectID:   strconv.FormatInt(response.Project, 10),
		JobProjectPath: response.ProjectPath,
	}}
}

// saw adds what a verified token says of the job.
func (l *log) saw(c identity.Claims) {
	e := &l.event
	e.ProjectID, e.ProjectPath = string(c.ProjectID), c.ProjectPath
	e.Ref, e.RefType, e.RefProtected, e.Environment = c.Ref, c.RefType, c.RefProtected, c.Environment
	e.UserID, e.UserLogin, e.RunnerID = string(c.UserID), c.UserLogin, string(c.RunnerID)
	e.Issuer, e.TokenID = c.Issuer, c.ID
}

// decided writes the decision: what the job gets, or why nothing.
func (l log) decided(o order, refused error) error {
	e := l.event
	e.Event, e.Allowed = audit.Decision, refused == nil
	e.Tenant, e.RoleARN, e.Rule = string(o.grant.Tenant), o.grant.RoleARN, o.grant.Why
	e.RoleSessionName = o.ask.Session
	if refused != nil {
		e.Side, e.Reason = fault.SideOf(refused), refused.Error()
		e.Rule = ""
	}
	var r *tenant.Refusal
	if errors.As(refused, &r) {
		e.Tenant, e.Rule = string(r.Tenant), r.Rule
	}
	return l.Write(e)
}

// issued writes that a provider has given a credential, of which it is told what may
// be known.
func (l log) issued(o order, known creds.Facts, expires time.Time) error {
	e := l.event
	e.Event, e.Allowed = audit.Issued, true
	e.Tenant, e.Rule = string(o.grant.Tenant), o.grant.Why
	e.RoleARN, e.RoleSessionName, e.AccessKeyID = known.Get(aws.RoleFact), known.Get(aws.SessionFact), known.Get(aws.KeyIDFact)
	e.Expiration = expires
	return l.Write(e)
}
