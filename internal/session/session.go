// Package session is what a job has from admission to its end: who it is, what is
// ordered for it, what was issued, and what the audit log is told of that.
package session

import (
	"context"
	"errors"
	"fmt"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
)

// Issuer gets credentials from the servers of one provider.
type Issuer interface {
	// Name returns the provider's name, such as aws.
	Name() string
	// Issue issues what was ordered for a job, for its ID token. Errors are of package
	// fault, and hold no secret and no word of a server.
	Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error)
}

// Session is a job that was admitted.
type Session struct {
	admission.Decision

	log log
}

// Open decides about a job and tells the audit log. What is allowed but cannot be told
// is not given. What is refused is refused in any case: an error of the audit log then
// goes to warn.
func Open(c admission.Case, warn func(error)) (*Session, error) {
	d, err := admission.Decide(c)
	s := &Session{d, newLog(d.Settings.AuditLog, c.Response, d.Claims)}
	if err == nil && d.Grant.Tenant == tenant.None {
		return s, nil
	}
	told := s.log.decided(d, err)
	if err == nil {
		return s, told
	}
	if told != nil {
		warn(told)
	}
	return s, err
}

// Issue asks the issuers for all that is ordered, tells the audit log of each, and
// hands all to keep. What one of them has given before another fails only expires:
// nobody has it.
func (s *Session) Issue(ctx context.Context, issuers []Issuer, keep func(creds.Set) error) (creds.Set, error) {
	set := make(creds.Set, 0, len(s.Orders))
	for _, order := range s.Orders {
		c, err := issue(ctx, issuers, order, s.Token)
		if err != nil {
			return nil, fmt.Errorf("tenant %q: %w", s.Grant.Tenant, err)
		}
		if err := s.log.issued(s.Grant, c); err != nil {
			return nil, err
		}
		set = append(set, c)
	}
	return set, keep(set)
}

// issue asks the issuer of an order.
func issue(ctx context.Context, issuers []Issuer, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	for _, i := range issuers {
		if i.Name() == o.Provider {
			return i.Issue(ctx, o, token)
		}
	}
	return creds.Credential{}, fault.New(fault.Admin, errors.New("this program asks no server of provider "+o.Provider), "install all programs of one version of rolecall")
}
