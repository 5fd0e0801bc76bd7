package session_test

import (
	"context"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/idtoken"
	"rolecall/internal/session"
)

// serving is a provider whose credentials an endpoint serves.
type serving struct{ provider }

func (p serving) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	c, err := p.provider.Issue(ctx, o, token)
	c.Served = &creds.Served{}
	return c, err
}

// TestServedSince: what is served is known with the time since when it is valid, by which it is
// renewed.
func TestServedSince(t *testing.T) {
	t.Parallel()
	began := time.Now()
	set, err := opened(t, newCase(t, newLog(t), aws())).Issue(t.Context(), []session.Issuer{serving{aws()}}, func(creds.Set) error { return nil })
	if err != nil || set[0].Served.Since.Before(began) || set[0].Served.Since.After(time.Now()) {
		t.Errorf("%v, %v", set, err)
	}
}
