package hold_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rolecall/internal/broker/hold"
)

// TestRenewed: what is asked for is renewed at half of its life, or up to a tenth of that before;
// what nobody has asked for in 15 minutes is not, until somebody does.
func TestRenewed(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		gets(t, k, "idle", "idle 1")
		gets(t, k, "used", "used 2")
		time.Sleep(15*time.Minute + time.Second)
		gets(t, k, "used", "used 2")
		time.Sleep(11 * time.Minute)
		s.wants(t, "get idle", "get used")
		time.Sleep(5 * time.Minute)
		s.wants(t, "get idle", "get used", "renew used")
		gets(t, k, "used", "used 3")
		if got, err := k.Kept(ask("idle")); err != nil || got != "idle 1" {
			t.Errorf("%q, %v is kept", got, err)
		}
		time.Sleep(2 * time.Second)
		s.wants(t, "get idle", "get used", "renew used", "renew idle")
		gets(t, k, "idle", "idle 4")
	})
}

// TestRenewalFails: the old session is the answer until it expires. Then the error is, as long as
// it is fresh.
func TestRenewalFails(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{errPassing, errAccount} {
		run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
			gets(t, k, "a", "a 1")
			s.set(func(s *source) { s.err = failure })
			for range 3600 {
				gets(t, k, "a", "a 1")
				time.Sleep(time.Second - time.Millisecond/2)
			}
			tries := len(s.called()) - 1
			if least, most := 30, 75; tries < least || tries > most {
				t.Errorf("it was tried %d times, want %d to %d", tries, least, most)
			}
			counts(t, k, hold.Count{Sessions: 1})
			time.Sleep(2 * time.Second)
			fails(t, k, "a", failure)
			s.set(func(s *source) { s.err = nil })
			time.Sleep(time.Minute)
			if _, err := k.Get(t.Context(), ask("a")); err != nil {
				t.Error(err)
			}
			counts(t, k, hold.Count{Sessions: 1})
		})
	}
}

// TestRenewalRefused: the session of a job that is refused when it is renewed is no answer.
func TestRenewalRefused(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		gets(t, k, "a", "a 1")
		s.set(func(s *source) { s.err = errAuthor })
		time.Sleep(13 * time.Minute)
		gets(t, k, "a", "a 1")
		time.Sleep(13 * time.Minute)
		gets(t, k, "a", "a 1")
		time.Sleep(5 * time.Minute)
		fails(t, k, "a", errAuthor)
		s.wants(t, "get a", "renew a", "get a")
		counts(t, k, hold.Count{Refused: 1})
	})
}

// TestExpired: a session that has expired while nobody asked is renewed for the next one, who
// does not get the old one.
func TestExpired(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.life = 12 * time.Minute // it is due after 4
		gets(t, k, "a", "a 1")
		s.set(func(s *source) { s.err = errPassing })
		time.Sleep(12 * time.Minute)
		s.set(func(s *source) { s.err = nil })
		if _, err := k.Kept(ask("a")); err == nil {
			t.Error("a session is kept that has expired")
		}
		time.Sleep(time.Minute)
		got, err := k.Get(t.Context(), ask("a"))
		if err != nil || got == "a 1" {
			t.Errorf("%q, %v", got, err)
		}
		if all := s.called(); all[len(all)-1] != "renew a" {
			t.Errorf("it was asked for by %q", all)
		}
	})
}

// TestEnded: a token that has ceased to serve gets nothing, and is forgotten.
func TestEnded(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.token = 20*time.Minute + time.Second/2
		gets(t, k, "a", "a 1")
		time.Sleep(10 * time.Minute)
		gets(t, k, "a", "a 1")
		time.Sleep(9*time.Minute + 59*time.Second)
		gets(t, k, "a", "a 2") // the last renewal is a minute before the end
		time.Sleep(time.Second + time.Second/2)
		if _, err := k.Kept(ask("a")); err == nil {
			t.Error("the session of a token is kept that has ended")
		}
		_, err := k.Get(t.Context(), ask("a"))
		var ended hold.Ended
		if !errors.As(err, &ended) || !time.Time(ended).Equal(s.began.Add(s.token)) || err.Error() != "the ID token served until 2000-01-01T00:20:00Z" {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second)
		counts(t, k, hold.Count{})
		s.wants(t, "get a", "renew a")
	})
}

// TestForgotten: what nobody asks for is forgotten: an error after a minute, a session when it
// has expired.
func TestForgotten(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		gets(t, k, "a", "a 1")
		s.set(func(s *source) { s.err = errAuthor })
		fails(t, k, "b", errAuthor)
		s.set(func(s *source) { s.err = errPassing })
		fails(t, k, "c", errPassing)
		counts(t, k, hold.Count{Sessions: 1, Refused: 2})
		time.Sleep(59 * time.Second)
		counts(t, k, hold.Count{Sessions: 1, Refused: 2})
		time.Sleep(2 * time.Second)
		counts(t, k, hold.Count{Sessions: 1})
		time.Sleep(58 * time.Minute)
		counts(t, k, hold.Count{Sessions: 1})
		time.Sleep(2 * time.Minute)
		counts(t, k, hold.Count{})
		s.wants(t, "get a", "get b", "get c")
	})
}

// TestSpread: jobs that have begun together are not renewed together.
func TestSpread(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		for i := range 50 {
			gets(t, k, fmt.Sprint(i), fmt.Sprintf("%d %d", i, i+1))
		}
		time.Sleep(20 * time.Minute)
		for i := range 50 {
			gets(t, k, fmt.Sprint(i), fmt.Sprintf("%d %d", i, i+1))
		}
		time.Sleep(10*time.Minute + 2*time.Second)
		at := map[time.Duration]bool{}
		for _, c := range s.all()[50:] {
			at[c.at.Truncate(time.Second)] = true
			if c.at < 27*time.Minute {
				t.Errorf("%s %s after %v", c.what, c.token, c.at)
			}
		}
		if len(s.all()) != 100 || len(at) < 10 {
			t.Errorf("%d calls, renewals in %d different seconds", len(s.all()), len(at))
		}
	})
}

// TestStale: a session that has expired when it comes is an error, and not asked for again at once.
func TestStale(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.life = 0
		_, err := k.Get(t.Context(), ask("a"))
		if err == nil || !strings.HasPrefix(err.Error(), "the credentials had expired when they came") {
			t.Errorf("%v", err)
		}
		s.wants(t, "get a")
	})
}
