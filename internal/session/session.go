// Package session is what a job has from admission on: who it is, what is ordered and
// issued for it, and the lines about that in the audit log.
package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
)

// Issuer gets credentials from the servers of one provider.
type Issuer interface {
	// Name returns the provider's name, such as aws.
	Name() string
	// Issue exchanges a job's ID token for the credential that was ordered. Errors are
	// of package fault; they contain no secret and quote no server.
	Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error)
}

// Session is a job that was admitted.
type Session struct {
	admission.Decision

	// Hold keeps how a credential is revoked when the job ends; nil: nobody would revoke it.
	Hold func(creds.Handle) error

	// Service is the environment of the runner's service, for providers that start programs.
	Service []string

	log  log
	kind audit.Kind // of the events about what is issued
}

// Voice is how a session speaks of errors.
type Voice struct {
	Program string      // that speaks, such as prepare
	Client  string      // the address of whom it serves; empty: it is not known
	Log     string      // path of the audit log; empty: that of the policy file
	Warn    func(error) // gets errors that change nothing
	// Mask returns a text for the audit log without the job's ID tokens: an error can quote
	// them.
	Mask func(string) string
}

// Open decides about a job and writes the decision to the audit log. If the line cannot
// be written, an allowed job gets nothing, and the error says so. A refused job stays
// refused, and a job that no tenant serves goes on without credentials: for them the error
// of the audit log is a warning.
func Open(c admission.Case, voice Voice) (*Session, error) {
	d, err := admission.Decide(c)
	s := &Session{Decision: d, log: newLog(c, d, voice), kind: audit.Issued}
	refused := cmp.Or(err, d.Grant.Unserved)
	if refused == nil && d.Grant.Tenant == tenant.None {
		return s, nil
	}
	told := s.log.decided(d, refused)
	if refused == nil {
		return s, told
	}
	if told != nil {
		voice.Warn(told)
	}
	return s, err
}

// Resume decides anew about a job that has got credentials before, such as when they are
// renewed. Only a refusal is written to the audit log, as withdrawn, and is returned as an error;
// so is that no tenant serves the job.
func Resume(c admission.Case, voice Voice) (*Session, error) {
	d, err := admission.Decide(c)
	s := &Session{Decision: d, log: newLog(c, d, voice), kind: audit.Renewed}
	refused := cmp.Or(err, d.Grant.Unserved)
	if refused == nil {
		return s, nil
	}
	if told := s.log.judged(audit.Withdrawn, d, refused); told != nil {
		voice.Warn(told)
	}
	return s, refused
}

// Trail returns what later stages need to write to the audit log about the job.
func (s *Session) Trail() (audit.Trail, error) {
	trail, err := audit.NewTrail(s.log.Path, s.log.of("", s.Decision))
	if s.log.Path != "" {
		trail.Metrics = s.Settings.MetricsFile
	}
	return trail, err
}

// Failed writes to the audit log that the job was allowed and gets nothing all the same. It
// writes nothing about a job without a tenant.
func (s *Session) Failed(err error) error {
	if s.Grant.Tenant == tenant.None {
		return nil
	}
	return s.log.failed(s.Decision, err)
}

// Issue gets all credentials that are ordered, writes each to the audit log, and hands
// all to keep. If one issuer fails, nobody receives the credentials that were issued
// before: they expire, or are revoked by what Hold has.
func (s *Session) Issue(ctx context.Context, issuers []Issuer, keep func(creds.Set) error) (creds.Set, error) {
	set := make(creds.Set, 0, len(s.Orders))
	for _, order := range s.Orders {
		c, err := s.issue(ctx, issuers, order)
		if err != nil {
			return nil, err
		}
		set = append(set, c)
	}
	return set, keep(set)
}

// issue gets the credential of one order, and writes it to the audit log.
func (s *Session) issue(ctx context.Context, issuers []Issuer, o creds.Order) (creds.Credential, error) {
	o.Hold, o.Service = s.Hold, s.Service
	began := time.Now()
	c, err := issue(ctx, issuers, o, s.TokenOf(o))
	s.log.asked = asked{o.Provider, o.Name, time.Since(began)}
	switch {
	case err != nil && o.Name != "":
		return c, fmt.Errorf("tenant %q, source %q: %w", s.Grant.Tenant, o.Name, err)
	case err != nil:
		return c, fmt.Errorf("tenant %q: %w", s.Grant.Tenant, err)
	}
	if c.Served != nil {
		c.Served.Since = time.Now()
	}
	told := s.log.issued(s.kind, s.Decision, c)
	s.log.asked = asked{}
	return c, told
}

// TokenOf returns the ID token that pays for an order.
func (s *Session) TokenOf(o creds.Order) idtoken.Token {
	if o.IDToken == "" {
		return s.Token
	}
	return s.Tokens[o.IDToken]
}

// issue gets a credential from the issuer that an order names.
func issue(ctx context.Context, issuers []Issuer, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	for _, i := range issuers {
		if i.Name() == o.Provider {
			return i.Issue(ctx, o, token)
		}
	}
	return creds.Credential{}, fault.New(fault.Programs, errors.New("this program does not know the servers of provider "+o.Provider), "install all programs of one version of rolecall")
}
