package session

import (
	"errors"
	"strconv"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
	"rolecall/internal/version"
)

// The facts of orders and credentials that the audit log has fields for.
const (
	roleFact    = "role_arn"
	sessionFact = "role_session_name"
	keyFact     = "access_key_id"
)

// log is the audit log, with the fields that describe the job.
type log struct {
	audit.Log
	event audit.Event
}

// newLog returns the log at path for a job whose ID token has the claims c.
func newLog(path string, response job.Response, c idtoken.Claims) log {
	return log{audit.Log{Path: path}, audit.Event{
		Version:        version.Version,
		JobID:          response.ID.String(),
		PipelineID:     strconv.FormatInt(response.Pipeline, 10),
		JobProjectID:   strconv.FormatInt(response.Project, 10),
		JobProjectPath: response.ProjectPath,
		ProjectID:      string(c.ProjectID),
		ProjectPath:    c.ProjectPath,
		Ref:            c.Ref,
		RefType:        c.RefType,
		RefProtected:   c.RefProtected,
		Environment:    c.Environment,
		UserID:         string(c.UserID),
		UserLogin:      c.UserLogin,
		RunnerID:       string(c.RunnerID),
		Issuer:         c.Issuer,
		TokenID:        c.ID,
	}}
}

// decided writes the decision: what the job gets, or why it gets nothing.
func (l log) decided(d admission.Decision, refused error) error {
	e := l.event
	e.Event, e.Allowed = audit.Decision, refused == nil
	e.Tenant, e.Rule = string(d.Grant.Tenant), d.Grant.Why
	for _, o := range d.Orders {
		if role := o.Facts.Get(roleFact); role != "" { // other providers have no role session
			e.RoleARN, e.RoleSessionName = role, o.Session
		}
	}
	if refused != nil {
		refuse(&e, refused)
	}
	return l.Write(e)
}

// refuse puts into the event of a decision why the job was refused.
func refuse(e *audit.Event, err error) {
	e.Side, e.Reason, e.Rule = fault.SideOf(err), err.Error(), ""
	if r, ok := errors.AsType[*tenant.Refusal](err); ok {
		e.Tenant, e.Rule = string(r.Tenant), r.Rule
	}
}

// issued writes that a provider has issued a credential.
func (l log) issued(g tenant.Grant, c creds.Credential) error {
	e := l.event
	e.Event, e.Allowed = audit.Issued, true
	e.Tenant, e.Rule = string(g.Tenant), g.Why
	e.RoleARN, e.RoleSessionName, e.AccessKeyID = c.Facts.Get(roleFact), c.Facts.Get(sessionFact), c.Facts.Get(keyFact)
	e.Expiration = c.Expires
	return l.Write(e)
}
