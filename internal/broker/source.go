package broker

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
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
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

const (
	// verifyTime bounds how long the keys of the issuer may take.
	verifyTime = 15 * time.Second
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
	lines    *rate.Limiter // of the log, about clients: each can make many

	force atomic.Pointer[force]
	sick  atomic.Pointer[error] // why the last line could not be written to the audit log; nil: it could
}

// Policy is that of a hold.Source.
func (s *source) Policy() string { return s.force.Load().id() }

// Get is that of a hold.Source.
func (s *source) Get(ctx context.Context, a hold.Ask) (hold.Session, error) {
	out, err := s.get(ctx, a)
	return out, s.ended("first", a, err)
}

// get verifies a token, decides, and gets a session.
func (s *source) get(ctx context.Context, a hold.Ask) (hold.Session, error) {
	f := s.force.Load()
	limited, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	token, err := f.keys.Verify(limited, a.Token)
	if err != nil {
		return hold.Session{}, err
	}
	one, err := s.open(f, a, token, session.Open)
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
	one, err := s.resume(a)
	if err != nil {
		return hold.Session{}, s.ended("renewal", a, err)
	}
	out, err := s.renew(ctx, one)
	return out, s.ended("renewal", a, err)
}

// Check is that of a hold.Source.
func (s *source) Check(ctx context.Context, a hold.Ask, old hold.Session) (hold.Session, error) {
	one, err := s.resume(a)
	if err != nil {
		return hold.Session{}, s.ended("reload", a, err)
	}
	if termsOf(one.Orders[0]) == old.Terms {
		old.Ends = bearer.Ends(one.Token.Claims, one.Grant)
		return old, nil
	}
	out, err := s.renew(ctx, one)
	return out, s.ended("reload", a, err)
}

// admitted is a job that gets a credential, by one order.
type admitted struct {
	*session.Session

	project int64
}

// resume decides anew about a token that was verified before.
func (s *source) resume(a hold.Ask) (admitted, error) {
	token, err := idtoken.Parse(a.Token)
	if err != nil {
		return admitted{}, err
	}
	return s.open(s.force.Load(), a, token, session.Resume)
}

// open decides about a token.
func (s *source) open(f *force, a hold.Ask, token idtoken.Token, open func(admission.Case, session.Voice) (*session.Session, error)) (admitted, error) {
	target, _ := bearer.ParsePath(a.Path) // who has made the Ask has read it
	c, err := target.Case(f.policy, token, time.Now())
	if err != nil {
		return admitted{}, err
	}
	c.Providers, c.ReadFile = parts[admission.Provider](s.program), policyfile.ReadNamed
	one, err := open(c, s.voice(a))
	if err == nil && one.Grant.Tenant == tenant.None {
		err = one.Grant.Unserved
	}
	return admitted{one, c.Response.Project}, s.told(err)
}

// voice returns how a session speaks of the client of a.
func (s *source) voice(a hold.Ask) session.Voice {
	return session.Voice{
		Program: name, Client: a.Client, Log: s.auditLog,
		Warn: func(err error) { s.log.Warn(s.told(err)) },
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

// told notes whether the audit log can be written, by the error of a step that writes to it, and
// returns the error.
func (s *source) told(err error) error {
	switch code := fault.CodeOf(err); {
	case err == nil:
		s.sick.Store(nil)
	case code == fault.BadAuditLog || code == fault.LogLocked || code == fault.Shortage:
		s.sick.Store(&err)
	}
	return err
}

// ended counts a try, and logs its error. It returns the error.
func (s *source) ended(why string, a hold.Ask, err error) error {
	if err == nil {
		s.tried(why, "ok")
		return nil
	}
	s.tried(why, string(fault.CodeOf(err)))
	if s.lines.Allow() {
		s.log.WithFields(logrus.Fields{"client": a.Client, "path": a.Path, "code": fault.CodeOf(err)}).Warn(oneLine(err))
	}
	return err
}
