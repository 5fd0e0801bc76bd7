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

// TestDue: a credential is renewed before SDKs begin to ask for a new one, and once more
// before the ID token ends.
func TestDue(t *testing.T) {
	t.Parallel()
	since := time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC)
	for name, test := range map[string]struct {
		life, wish time.Duration
		token      time.Duration // from since until the token ends; 0: it does not
		early      float64
		want       time.Duration // from since; 0: never
	}{
		"an hour":                     {time.Hour, 0, 0, 0, 30 * time.Minute},
		"an hour, early":              {time.Hour, 0, 0, 1, 27 * time.Minute},
		"twelve hours":                {12 * time.Hour, 0, 0, 0, 6 * time.Hour},
		"half an hour":                {30 * time.Minute, 0, 0, 0, 15 * time.Minute},
		"15 minutes":                  {15 * time.Minute, 0, 0, 0, 5 * time.Minute},
		"20 minutes":                  {20 * time.Minute, 0, 0, 0, 20*time.Minute - 800*time.Second},
		"as wished":                   {time.Hour, 10 * time.Minute, 0, 0, 50 * time.Minute},
		"a wish of nearly all":        {15 * time.Minute, 14*time.Minute + 50*time.Second, 0, 0, 10 * time.Second},
		"a wish of nearly all, early": {15 * time.Minute, 14*time.Minute + 50*time.Second, 0, 1, 9 * time.Second},
		"a wish of all":               {15 * time.Minute, 15 * time.Minute, 0, 0, 5 * time.Second},
		"a wish of more":              {15 * time.Minute, time.Hour, 0, 0, 5 * time.Second},
		"the token lasts":             {time.Hour, 0, 2 * time.Hour, 0, 30 * time.Minute},
		"the token ends before":       {time.Hour, 0, 20 * time.Minute, 0, 19 * time.Minute},
		"the token ends just then":    {time.Hour, 0, 31 * time.Minute, 0, 30 * time.Minute},
		"it is the last one":          {time.Hour, 0, 50 * time.Second, 0, 0},
		"the token has ended":         {time.Hour, 0, -time.Minute, 0, 0},
		"it does not expire":          {0, 0, time.Hour, 0, 0},
	} {
		s, ends := source(since, test.life, test.wish), time.Time{}
		if test.life == 0 {
			s.Credential.Expires = time.Time{}
		}
		if test.token != 0 {
			ends = since.Add(test.token)
		}
		due, ok := s.Due(ends, test.early)
		if ok != (test.want != 0) || ok && due.Sub(since) != test.want {
			t.Errorf("%s: %v after it was issued, %v, want %v", name, due.Sub(since), ok, test.want)
		}
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
