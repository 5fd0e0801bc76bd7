package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"rolecall/internal/answer"
	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/ledger"
	"rolecall/internal/ledger/seal"
)

// Waits between tries to renew a credential: the first after a failure, and the longest.
const (
	firstPause   = 5 * time.Second
	longestPause = 30 * time.Second
	// look is how often a wait looks at the clock, which may be set.
	look = 10 * time.Second
)

// errSuspended says that nothing is renewed now. The run stage has said why in the job log.
var errSuspended = errors.New("the tenant of the job is suspended")

// source is a credential that is served and renewed.
type source struct {
	order   endpoint.Order
	token   idtoken.Token
	link    *link
	issuers []Issuer

	mu      sync.Mutex // guards what follows
	now     endpoint.Source
	failed  error // why the last try to renew it failed; nil: it has not
	expired bool  // the job log says that it has expired
}

// answer returns the answer to a client, or why there is none.
func (s *source) answer(now time.Time) (string, *answer.Refusal) {
	s.mu.Lock()
	c, failed := s.now.Credential, s.failed
	s.mu.Unlock()
	if why := *s.link.suspended.Load(); why != "" {
		return "", &answer.Refusal{Code: "Suspended", Message: "rolecall: " + oneLine(errors.New(why)), Status: http.StatusForbidden}
	}
	if c.Expires.IsZero() || now.Before(c.Expires) {
		return c.Served.Answer, nil
	}
	s.tellExpired()
	status := http.StatusServiceUnavailable // an SDK tries again
	if !s.mayRenew(now) || failed != nil && fault.SideOf(failed) != fault.Infrastructure {
		status = http.StatusBadRequest
	}
	return "", &answer.Refusal{Code: "ExpiredToken", Message: "rolecall: " + s.why(), Status: status}
}

// mayRenew reports whether the ID token can still be exchanged.
func (s *source) mayRenew(now time.Time) bool {
	return s.order.Ends.IsZero() || now.Before(s.order.Ends)
}

// why says why there are no credentials. It is for the job's author.
func (s *source) why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("the %s expired at %s", s.name(), clock(s.now.Credential.Expires))
	switch {
	case s.failed != nil:
		return text + ": " + oneLine(s.failed)
	case !s.mayRenew(time.Now()):
		return text + ": the job's ID token had expired, which GitLab gives the time of the job's timeout; raise timeout: of the job"
	}
	return text
}

// name names the credential, for messages.
func (s *source) name() string {
	c := s.now.Credential
	if c.Name == "" {
		return strings.ToUpper(c.Provider) + " credentials"
	}
	return fmt.Sprintf("%s credentials %q", strings.ToUpper(c.Provider), c.Name)
}

// clock returns a time of the day.
func clock(t time.Time) string { return t.UTC().Format("15:04 UTC") }

// oneLine returns an error on one line.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// keepFresh renews the credential whenever that is due, until ctx is done.
func (s *source) keepFresh(ctx context.Context) {
	pause := firstPause
	for {
		due, ok := s.due()
		if s.retries() {
			due, pause = s.retry(pause), min(2*pause, longestPause)
		} else {
			pause = firstPause
		}
		if !ok || !await(ctx, due) || !s.mayRenew(time.Now()) {
			return
		}
		if err := s.renew(ctx); err != nil && ctx.Err() == nil {
			s.fail(err)
		}
	}
}

// due returns when the credential is renewed, and false if it is not.
func (s *source) due() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.Due(s.order.Ends, s.order.Early)
}

// retries reports whether the last try has failed.
func (s *source) retries() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed != nil
}

// retry returns when it is tried again: after a pause, and when the credential expires.
func (s *source) retry(pause time.Duration) time.Time {
	next := time.Now().Add(pause)
	if expires := s.now.Credential.Expires; expires.After(time.Now()) && expires.Before(next) {
		return expires
	}
	return next
}

// await waits for a time of the clock, and reports whether it has come before ctx is done.
func await(ctx context.Context, due time.Time) bool {
	for {
		left := time.Until(due.Round(0))
		if left <= 0 {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(min(left, look)):
		}
	}
}

// renew gets a new credential. Clients get it once the run stage has kept it.
func (s *source) renew(ctx context.Context) error {
	if *s.link.suspended.Load() != "" {
		return errSuspended
	}
	c, err := s.issue(ctx)
	if err != nil {
		return err
	}
	entries := seal.Add(ledger.Ledger{Key: s.order.Key}, s.order.Job, creds.Set{c}, time.Now()).Entries
	if err := s.link.keep(ctx, endpoint.Renewed{Credential: clear.Reveal(c), Entries: entries}); err != nil {
		return fmt.Errorf("the new ones cannot be kept: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.Credential, s.failed, s.expired = clear.Reveal(c), nil, false
	return nil
}

// issue gets a new credential from the issuer of the order.
func (s *source) issue(ctx context.Context) (creds.Credential, error) {
	i, err := s.issuer()
	if err != nil {
		return creds.Credential{}, err
	}
	c, err := i.Issue(ctx, s.now.Order, s.token)
	if err == nil && c.Served == nil {
		err = errors.New("the provider has issued what no endpoint can serve")
	}
	if err == nil {
		c.Name, c.Served.Since = s.now.Order.Name, time.Now()
	}
	return c, err
}

// issuer returns the issuer of the order.
func (s *source) issuer() (Issuer, error) {
	for _, i := range s.issuers {
		if i.Name() == s.now.Order.Provider {
			return i, nil
		}
	}
	return nil, errors.New("this program does not know the servers of provider " + s.now.Order.Provider)
}

// fail notes that the credential could not be renewed. The job log says so once, until it is
// renewed again.
func (s *source) fail(err error) {
	s.mu.Lock()
	first, expires := s.failed == nil || errors.Is(s.failed, errSuspended), s.now.Credential.Expires
	s.failed = err
	name := s.name()
	s.mu.Unlock()
	switch {
	case errors.Is(err, errSuspended):
	case !time.Now().Before(expires):
		s.tellExpired()
	case first:
		s.link.warn(fmt.Sprintf("the %s could not be renewed; they are used until %s, and it is tried again: %s", name, clock(expires), oneLine(err)))
	}
}

// tellExpired says once in the job log that the credential has expired: not all SDKs show what
// an endpoint answers.
func (s *source) tellExpired() {
	s.mu.Lock()
	told := s.expired
	s.expired = true
	s.mu.Unlock()
	if !told {
		s.link.warn(s.why())
	}
}
