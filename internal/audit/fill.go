package audit

import (
	"errors"
	"strings"
	"time"

	"rolecall/internal/fault"
)

// The facts of credentials that the audit log has fields for.
const (
	RoleFact    = "role_arn"
	SessionFact = "role_session_name"
	KeyFact     = "access_key_id"
	ChainFact   = "chain" // with spaces between the roles
)

// Give puts a credential into the event, by its facts, which a provider has named.
func (e *Event) Give(fact func(name string) string, expires time.Time) {
	e.RoleARN, e.RoleSessionName, e.AccessKeyID = fact(RoleFact), fact(SessionFact), fact(KeyFact)
	e.Chain = strings.Fields(fact(ChainFact))
	e.Expiration = expires
}

// Fail puts an error into the event: its code, who must act, what is wrong, and what a
// server has answered.
func (e *Event) Fail(err error) {
	if err == nil {
		return
	}
	e.Code, e.Side, e.Reason = fault.CodeOf(err), fault.SideOf(err), err.Error()
	if own, ok := errors.AsType[*fault.Error](err); ok {
		e.ErrorCode, e.RequestID = own.Answer.Code, own.Answer.Request
	}
}

// Hand puts the names of values into the event, and those of the jobs that they are from: the first
// ones, and how many more values there are.
func (e *Event) Hand(names, from []string) {
	shown := min(len(names), maxNames)
	e.Names, e.More = names[:shown], len(names)-shown
	e.From = from[:min(len(from), maxNames)]
}

// Locate puts places into the event: the first ones, and how many more there are.
func (e *Event) Locate(places []Place) {
	shown := min(len(places), maxPlaces)
	e.Places, e.More = places[:shown], len(places)-shown
}
