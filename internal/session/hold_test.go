package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/internal/session"
)

// leasing is a provider whose credentials must be revoked.
type leasing struct{ provider }

func (p leasing) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	if err := o.Hold(creds.Handle{Provider: p.name, Terms: mask.NewSecret(secret), Until: time.Now()}); err != nil {
		return creds.Credential{}, err
	}
	return p.provider.Issue(ctx, o, token)
}

// TestHold: what revokes a credential is held before the credential is known, also if the
// provider fails later, and what cannot be held is not given.
func TestHold(t *testing.T) {
	t.Parallel()
	full := errors.New("no room")
	for name, test := range map[string]struct{ issue, hold error }{
		"issued": {nil, nil}, "fails later": {errors.New("no answer"), nil}, "cannot be held": {nil, full},
	} {
		p := vault()
		p.err = test.issue
		s, held := opened(t, newCase(t, newLog(t), p)), 0
		s.Hold = func(h creds.Handle) error {
			if held++; h.Provider != "vault" || h.Terms.Reveal() != secret || *p.asked != 0 {
				t.Errorf("%s: %v", name, h)
			}
			return test.hold
		}
		set, err := s.Issue(t.Context(), []session.Issuer{leasing{p}}, func(creds.Set) error { return nil })
		if held != 1 || (err == nil) != (test.issue == nil && test.hold == nil) || (err == nil) != (len(set) == 1) {
			t.Errorf("%s: held %d times, %v, %v", name, held, set, err)
		}
	}
}
