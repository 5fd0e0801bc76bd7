package hold_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/broker/hold"
	"rolecall/internal/fault"
)

// errAuthor and errPassing are errors of a source: one that stays, and one that can pass.
var (
	errAuthor  = fault.New(fault.Refused, errors.New("refused"), "")
	errAccount = fault.New(fault.AccessDenied, errors.New("denied"), "")
	errAdmin   = fault.New(fault.BadAuditLog, errors.New("no log"), "")
	errPassing = fault.New(fault.NoAnswer, errors.New("no answer"), "")
)

// call is a call of a source.
type call struct {
	what, token string
	at          time.Duration // since the test began
}

// source is a source whose answers a test chooses. Each of its answers has another text.
type source struct {
	began time.Time
	now   func() time.Time // when it issues

	mu       sync.Mutex // guards what follows
	policy   string
	life     time.Duration // of a credential
	token    time.Duration // from the beginning until a token ends
	takes    time.Duration // how long a call takes, whatever the context says
	err      error
	replaces bool // a Check returns another session
	calls    []call
}

// newSource returns a source of credentials of an hour for tokens of ten.
func newSource() *source {
	return &source{began: time.Now(), now: time.Now, policy: "p", life: time.Hour, token: 10 * time.Hour}
}

// set changes the source.
func (s *source) set(change func(*source)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// Policy is that of a hold.Source.
func (s *source) Policy() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.policy
}

// Get is that of a hold.Source.
func (s *source) Get(_ context.Context, a hold.Ask) (hold.Session, error) { return s.answer("get", a) }

// Renew is that of a hold.Source.
func (s *source) Renew(_ context.Context, a hold.Ask) (hold.Session, error) {
	return s.answer("renew", a)
}

// Check is that of a hold.Source.
func (s *source) Check(_ context.Context, a hold.Ask, old hold.Session, used bool) (hold.Session, error) {
	out, err := s.answer("check", a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && !s.replaces {
		return old, nil
	}
	if err == nil && !used {
		return hold.Session{}, hold.ErrUnused
	}
	return out, err
}

// answer notes a call, and answers it.
func (s *source) answer(what string, a hold.Ask) (hold.Session, error) {
	s.mu.Lock()
	s.calls = append(s.calls, call{what, a.Token, time.Since(s.began)})
	n, takes := len(s.calls), s.takes
	s.mu.Unlock()
	time.Sleep(takes)
	s.mu.Lock()
	defer s.mu.Unlock()
	return hold.Session{Answer: fmt.Sprintf("%s %d", a.Token, n), Since: s.now(), Expires: time.Now().Add(s.life), Ends: s.began.Add(s.token)}, s.err
}

// all returns the calls.
func (s *source) all() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// called returns which calls were made, such as "get a".
func (s *source) called() []string {
	var all []string
	for _, c := range s.all() {
		all = append(all, c.what+" "+c.token)
	}
	return all
}

// wants fails unless these calls were made, in this order.
func (s *source) wants(t *testing.T, want ...string) {
	t.Helper()
	if got := s.called(); !slices.Equal(got, want) {
		t.Errorf("after %v the calls are %q, want %q", time.Since(s.began), got, want)
	}
}

// run runs a test in a bubble, with a keeper of a source.
func run(t *testing.T, limits hold.Limits, test func(t *testing.T, s *source, k *hold.Keeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		k := hold.New(s, limits)
		defer k.Close()
		test(t, s, k)
	})
}

// plenty are limits that no test reaches.
func plenty() hold.Limits { return hold.Limits{Sessions: 1000, Refused: 1000, Working: 1000} }

// ask returns the Ask of a token.
func ask(token string) hold.Ask {
	return hold.Ask{Token: token, Path: "/v1/aws/alpha", Client: "10.0.0.1"}
}

// gets fails unless a token gets that answer.
func gets(t *testing.T, k *hold.Keeper, token, want string) {
	t.Helper()
	if got, err := k.Get(t.Context(), ask(token)); err != nil || got != want {
		t.Errorf("%s gets %q, %v, want %q", token, got, err, want)
	}
}

// fails fails unless a token gets that error.
func fails(t *testing.T, k *hold.Keeper, token string, want error) {
	t.Helper()
	if got, err := k.Get(t.Context(), ask(token)); !errors.Is(err, want) || got != "" {
		t.Errorf("%s gets %q, %v, want %v", token, got, err, want)
	}
}

// counts fails unless that much is kept.
func counts(t *testing.T, k *hold.Keeper, want hold.Count) {
	t.Helper()
	if got := k.Count(); got != want {
		t.Errorf("%+v is kept, want %+v", got, want)
	}
}
