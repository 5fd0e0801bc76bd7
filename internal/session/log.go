package session

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
	"rolecall/internal/version"
)

// maxServices bounds how many services a line names.
const maxServices = 10

// log is the audit log, with the fields that describe the job.
type log struct {
	audit.Log
	event audit.Event
	mask  func(string) string
	asked asked // what the next line is about
}

// asked is a call of a provider's server. The zero asked is none.
type asked struct {
	provider, source string
	took             time.Duration
}

// put puts the call into an event.
func (a asked) put(e *audit.Event) {
	if a.provider == "" {
		return
	}
	e.Provider, e.Source = a.provider, a.source
	e.DurationMS = max(a.took.Milliseconds(), 1)
}

// newLog returns the log of a case, in which voice speaks.
func newLog(c admission.Case, d admission.Decision, voice Voice) log {
	l := log{Log: audit.Log{Path: cmp.Or(voice.Log, d.Settings.AuditLog)}, event: eventOf(c.Response, d.Claims), mask: voice.Mask}
	l.event.Program, l.event.Client = voice.Program, voice.Client
	if c.Policy != nil {
		l.event.Policy = c.Policy.Hash()
	}
	return l
}

// eventOf describes a job whose ID token has the claims c.
func eventOf(response job.Response, c idtoken.Claims) audit.Event {
	return audit.Event{
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
	}
}

// of returns an event of that kind about a job that is what d says.
func (l log) of(kind audit.Kind, d admission.Decision) audit.Event {
	e := l.event
	e.Event, e.Tenant = kind, string(d.Grant.Tenant)
	for _, o := range d.Orders {
		if role := o.Facts.Get(audit.RoleFact); role != "" && e.RoleARN == "" { // other providers have no role session
			e.RoleARN, e.RoleSessionName = role, o.Session
		}
	}
	return e
}

// decided writes the decision: what the job gets, or why it gets nothing.
func (l log) decided(d admission.Decision, refused error) error {
	return l.judged(audit.Decision, d, refused)
}

// judged writes a decision as an event of that kind.
func (l log) judged(kind audit.Kind, d admission.Decision, refused error) error {
	e := l.of(kind, d)
	e.Allowed, e.Rule = new(refused == nil), d.Grant.Why
	e.Image = d.Asked.Image.Name
	for _, s := range d.Asked.Services[:min(len(d.Asked.Services), maxServices)] {
		e.Services = append(e.Services, s.Name)
	}
	if refused != nil {
		l.fail(&e, refused)
		refuse(&e, refused)
	}
	return l.Write(e)
}

// fail puts an error into an event, masked.
func (l log) fail(e *audit.Event, err error) {
	e.Fail(err)
	e.Reason = l.mask(reason(err))
}

// refuse puts into the event of a decision which rule has refused the job.
func refuse(e *audit.Event, err error) {
	e.Rule = ""
	if r, ok := errors.AsType[*tenant.Refusal](err); ok {
		e.Tenant, e.Rule = string(r.Tenant), r.Rule
	}
}

// failed writes that an allowed job was not prepared, and why.
func (l log) failed(d admission.Decision, err error) error {
	e := l.of(audit.Failed, d)
	l.asked.put(&e)
	l.fail(&e, err)
	return l.Write(e)
}

// reason returns why a job was refused, with what its rule says about it. The line has
// fields for the rest of what is known.
func reason(err error) string {
	text := err.Error()
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return text
	}
	for _, row := range e.Rows {
		if row.Label == "rule" {
			return e.What.Error() + ": " + row.Text
		}
	}
	return text
}

// issued writes that a provider has issued a credential, in an event of that kind. The line is
// about the role whose session the job gets.
func (l log) issued(kind audit.Kind, d admission.Decision, c creds.Credential) error {
	e := l.of(kind, d)
	e.Allowed, e.Rule = new(true), d.Grant.Why
	l.asked.put(&e)
	e.Provider, e.Source = c.Provider, c.Name
	e.Give(c.Facts.Get, c.Expires)
	return l.Write(e)
}
