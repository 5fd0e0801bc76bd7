package renewal_test

import (
	"testing"
	"time"

	"rolecall/internal/renewal"
)

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
		s := renewal.Session{Since: since, Expires: since.Add(test.life), Before: test.wish, Early: test.early}
		if test.life == 0 {
			s.Expires = time.Time{}
		}
		if test.token != 0 {
			s.Ends = since.Add(test.token)
		}
		due, ok := s.Due()
		if ok != (test.want != 0) || ok && due.Sub(since) != test.want {
			t.Errorf("%s: %v after it was issued, %v, want %v", name, due.Sub(since), ok, test.want)
		}
	}
}
