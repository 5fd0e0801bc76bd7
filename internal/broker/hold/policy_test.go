package hold_test

import (
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/broker/hold"
)

// change puts another policy file in force.
func (s *source) change(err error, replaces bool) {
	s.set(func(s *source) { s.policy, s.err, s.replaces = s.policy+"'", err, replaces })
}

// TestPolicyChanges: what is kept is decided anew before anybody gets it, and also if nobody asks.
func TestPolicyChanges(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err      error
		replaces bool
		want     string // what the token gets; empty: the error
		count    hold.Count
	}{
		"the same":       {nil, false, "a 1", hold.Count{Sessions: 1}},
		"another":        {nil, true, "a 2", hold.Count{Sessions: 1}},
		"refused":        {errAuthor, false, "", hold.Count{Refused: 1}},
		"another, later": {errPassing, true, "", hold.Count{Refused: 1}},
	} {
		for _, asked := range []bool{true, false} {
			run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
				gets(t, k, "a", "a 1")
				s.change(test.err, test.replaces)
				if _, err := k.Kept(ask("a")); err == nil {
					t.Errorf("%s: the old session is the answer", name)
				}
				if !asked {
					time.Sleep(time.Second + time.Millisecond)
					synctest.Wait()
					s.wants(t, "get a", "check a")
					counts(t, k, test.count)
				}
				if test.want != "" {
					gets(t, k, "a", test.want)
				} else {
					fails(t, k, "a", test.err)
				}
				s.wants(t, "get a", "check a")
				counts(t, k, test.count)
			})
		}
	}
}

// TestRefusedThenAllowed: a token that the policy file in force refuses is decided anew by the
// next one, and at once.
func TestRefusedThenAllowed(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		gets(t, k, "a", "a 1")
		s.change(errAuthor, false)
		fails(t, k, "a", errAuthor)
		s.change(nil, false)
		gets(t, k, "a", "a 3")
		s.wants(t, "get a", "check a", "get a")
		counts(t, k, hold.Count{Sessions: 1})
	})
}

// TestChangedUnused: what nobody has asked for lately is not got anew, until somebody does.
func TestChangedUnused(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		gets(t, k, "a", "a 1")
		time.Sleep(16 * time.Minute)
		s.change(nil, true)
		for len(s.all()) < 2 && time.Since(s.began) < 20*time.Minute {
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		s.wants(t, "get a", "check a")
		counts(t, k, hold.Count{Refused: 1})
		gets(t, k, "a", "a 3")
		s.wants(t, "get a", "check a", "get a")
		counts(t, k, hold.Count{Sessions: 1})
	})
}

// TestChangedAndExpired: a session that has expired meanwhile is renewed by the policy file in force.
func TestChangedAndExpired(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.life = 12 * time.Minute
		gets(t, k, "a", "a 1")
		s.set(func(s *source) { s.err = errPassing })
		time.Sleep(12*time.Minute - time.Second/2)
		s.change(nil, false)
		time.Sleep(time.Second / 2)
		if got, err := k.Get(t.Context(), ask("a")); err != nil || got == "a 1" {
			t.Errorf("%q, %v", got, err)
		}
		if all := s.called(); all[len(all)-1] != "renew a" {
			t.Errorf("the calls are %q", all)
		}
	})
}

// TestChangedMeanwhile: what was decided by an old policy file is decided anew before anybody
// gets it.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.takes = 500 * time.Millisecond
		time.AfterFunc(200*time.Millisecond, func() { s.set(func(s *source) { s.policy, s.takes = "q", 0 }) })
		gets(t, k, "a", "a 1")
		s.wants(t, "get a", "check a")
		s.set(func(s *source) { s.takes = 500 * time.Millisecond })
		time.AfterFunc(200*time.Millisecond, func() { s.set(func(s *source) { s.policy, s.takes, s.err = "r", 0, errAuthor }) })
		s.set(func(s *source) { s.policy = "q2" })
		fails(t, k, "a", errAuthor)
	})
}
