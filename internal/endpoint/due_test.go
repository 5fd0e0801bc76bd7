package endpoint_test

import (
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
)

// source returns a source whose credential was issued at since.
func source(since time.Time, life, wish time.Duration) endpoint.Source {
	return endpoint.Source{
		Order:      creds.Order{Renew: wish},
		Credential: clear.Credential{Expires: since.Add(life), Served: &clear.Served{Since: since}},
	}
}

// TestDue: what is not served is not renewed, and what is, as the order and the ID token say.
func TestDue(t *testing.T) {
	t.Parallel()
	since := time.Now()
	s := source(since, time.Hour, 10*time.Minute)
	if due, ok := s.Due(since.Add(2*time.Hour), 1); !ok || due.Sub(since) != 45*time.Minute {
		t.Errorf("%v after it was issued, %v, want 45m", due.Sub(since), ok)
	}
	if due, ok := s.Due(since.Add(20*time.Minute), 0); !ok || due.Sub(since) != 19*time.Minute {
		t.Errorf("%v after it was issued, %v, want 19m", due.Sub(since), ok)
	}
	s.Credential.Served = nil
	if _, ok := s.Due(time.Time{}, 0); ok {
		t.Error("what is not served is renewed")
	}
}

// TestFirstDue: the order is due when its first source is.
func TestFirstDue(t *testing.T) {
	t.Parallel()
	since := time.Now()
	forever := endpoint.Source{Credential: clear.Credential{Served: &clear.Served{}}}
	o := endpoint.Order{Sources: []endpoint.Source{forever, source(since, 2*time.Hour, 0), source(since, time.Hour, 0), forever}}
	if due, ok := o.Due(); !ok || due.Sub(since) != 30*time.Minute {
		t.Errorf("%v after it was issued, %v, want 30m", due.Sub(since), ok)
	}
	if _, ok := (endpoint.Order{Sources: []endpoint.Source{forever}}).Due(); ok {
		t.Error("what does not expire is renewed")
	}
}
