package broker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"rolecall/internal/admission"
	"rolecall/internal/broker/bearer"
	"rolecall/internal/broker/hold"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/session"
	"rolecall/internal/suspension"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

const (
	// verifyTime bounds how long the keys of the issuer may take, and patience how long where older
	// ones would do.
	verifyTime = 15 * time.Second
	patience   = 300 * time.Millisecond
	// freshenTime is the time between two looks at how old the keys are.
	freshenTime = time.Minute
	// maxCalls bounds how many calls of STS are made at once.
	maxCalls = 64
	// name is that of the program in the audit log.
	name = "broker"
)

// source gets sessions: it verifies tokens, decides by the policy file in force, writes the
// audit log, and calls STS.
type source struct {
	program  Program
	auditLog string // empty: that of the policy file
	log      *logrus.Logger
	quotas   *quotas
	calls    chan struct{} // has room for the calls that may be made
	tried    func(why, result string)
	refused  func(client string) // notes that a token of a client was refused
	lines    *rate.Limiter       // of the log, about clients: each can make many

	suspensions suspension.File
	suspended   *suspension.Watch // of that file

	force atomic.Pointer[force]
	sick  atomic.Pointer[error] // why the last line could not be written to the audit log; nil: it could
}

// Policy is that of a hold.Source. It also changes when a tenant is suspended: what is kept is then
// decided anew, before anybody gets it.
func (s *source) Policy() string { return s.force.Load().id + s.suspended.State() }

// Get is that of a hold.Source.
func (s *source) Get(ctx context.Context, a hold.Ask) (hold.Session, error) {
	out, err := s.get(ctx, a)
	if fault.SideOf(err) == fault.Author {
		s.refused(a.Client)
	}
	return out, s.ended("first", a, err)
}

// get verifies a token, decides, and gets a session.
func (s *source) get(ctx context.Context, a hold.Ask) (hold.Session, error) {
	f := s.force.Load()
	token, err := f.verify(ctx, a.Token)
	if err != nil {
		return hold.Session{}, err
	}
	c, err := s.caseOf(f, a, token)
	if err != nil {
		return hold.Session{}, err
	}
	one, err := s.open(c, a)
	if err != nil {
		return hold.Session{}, err
	}
	if err := s.quotas.take(one, true); err != nil {
		return hold.Session{}, errors.Join(err, s.told(one.Failed(err)))
	}
	out, err := s.issue(ctx, one)
	if err != nil {
		err = errors.Join(err, s.told(one.Failed(err)))
	}
	return out, err
}

// Renew is that of a hold.Source.
func (s *source) Renew(ctx context.Context, a hold.Ask) (hold.Session, error) {
	one, err := s.resume(ctx, a)
	if err != nil {
		return hold.Session{}, s.ended("renewal", a, err)
	}
	out, err := s.renew(ctx, one)
	return out, s.ended("renewal", a, err)
}

// Check is that of a hold.Source.
func (s *source) Check(ctx context.Context, a hold.Ask, old hold.Session, used bool) (hold.Session, error) {
	one, err := s.resume(ctx, a)
	if err != nil {
		return hold.Session{}, s.ended("reload", a, err)
	}
	if termsOf(one.Orders[0]) == old.Terms {
		old.Ends = bearer.Ends(one.Token.Claims, one.Grant)
		return old, nil
	}
	if !used {
		return hold.Session{}, hold.ErrUnused
	}
	out, err := s.renew(ctx, one)
	return out, s.ended("reload", a, err)
}

// admitted is a job that gets a credential, by one order.
type admitted struct {
	*session.Session

	project int64
}

// open decides about a job, and tells of it.
func (s *source) open(c admission.Case, a hold.Ask) (admitted, error) {
	one, err := session.Open(c, s.voice(a))
	if err == nil && one.Grant.Tenant == tenant.None {
		err = cmp.Or(one.Grant.Unserved, errors.New("no tenant of this broker allows this job"))
	}
	return admitted{one, c.Response.Project}, cmp.Or(s.told(err), oneOrder(one))
}

// resume decides anew about a token that was verified before. If its key is not the issuer's any
// more, it is refused; if that cannot be known now, it is what it was.
func (s *source) resume(ctx context.Context, a hold.Ask) (admitted, error) {
	f := s.force.Load()
	token, err := idtoken.Parse(a.Token)
	if err != nil {
		return admitted{}, err
	}
	c, err := s.caseOf(f, a, token)
	if err != nil {
		return admitted{}, err
	}
	if _, err := f.verify(ctx, a.Token); fault.SideOf(err) == fault.Author {
		c.Read = func(string) (idtoken.Token, error) { return token, err }
	}
	one, err := session.Resume(c, s.voice(a))
	return admitted{one, c.Response.Project}, cmp.Or(err, oneOrder(one))
}

// oneOrder fails unless one credential was ordered for a job.
func oneOrder(s *session.Session) error {
	if len(s.Orders) != 1 {
		return fmt.Errorf("%d credentials were ordered, want one", len(s.Orders))
	}
	return nil
}

// caseOf returns what the decision about a token rests on.
func (s *source) caseOf(f *force, a hold.Ask, token idtoken.Token) (admission.Case, error) {
	target, _ := bearer.ParsePath(a.Path) // who has made the Ask has read it
	c, err := target.Case(f.policy, token, time.Now())
	c.Suspended = s.suspensions.Refuse
	c.Providers, c.ReadFile = parts[admission.Provider](s.program), policyfile.ReadNamed
	return c, err
}

// voice returns how a session speaks of the client of a.
func (s *source) voice(a hold.Ask) session.Voice {
	return session.Voice{
		Program: name, Client: a.Client, Log: s.auditLog,
		Warn: func(err error) { s.warn(oneLine(s.told(err))) },
		Mask: func(text string) string { return strings.ReplaceAll(text, a.Token, "[MASKED]") },
	}
}

// renew gets another session for a job. It counts, and is never refused for that: the job runs.
func (s *source) renew(ctx context.Context, one admitted) (hold.Session, error) {
	_ = s.quotas.take(one, false)
	return s.issue(ctx, one)
}

// issue gets a session from the server of the order.
func (s *source) issue(ctx context.Context, one admitted) (hold.Session, error) {
	select {
	case s.calls <- struct{}{}:
		defer func() { <-s.calls }()
	case <-ctx.Done():
		return hold.Session{}, ctx.Err()
	}
	order, since := one.Orders[0], time.Now()
	set, err := one.Issue(ctx, parts[session.Issuer](s.program), func(creds.Set) error { return nil })
	if s.told(err) != nil {
		return hold.Session{}, err
	}
	if set[0].Served == nil {
		return hold.Session{}, errors.New("the provider has issued what no broker can serve")
	}
	return hold.Session{
		Answer:  set[0].Served.Answer.Reveal(),
		Since:   since,
		Expires: set[0].Expires,
		Ends:    bearer.Ends(one.Token.Claims, one.Grant),
		Before:  order.Renew,
		Terms:   termsOf(order),
	}, nil
}

// termsOf returns a hash of what an order says of the credential, whatever is left of the life
// of the token.
func termsOf(o creds.Order) [sha256.Size]byte {
	o.Lifetime = 0
	content, _ := json.Marshal(o) // cannot fail: an order has texts, numbers and JSON
	return sha256.Sum256(content)
}
