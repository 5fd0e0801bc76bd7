package hold_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/broker/hold"
)

// TestSessions: when enough sessions are kept, no new token is taken until there is room.
func TestSessions(t *testing.T) {
	t.Parallel()
	run(t, hold.Limits{Sessions: 2, Refused: 9, Working: 9}, func(t *testing.T, s *source, k *hold.Keeper) {
		gets(t, k, "a", "a 1")
		gets(t, k, "b", "b 2")
		fails(t, k, "c", hold.ErrBusy)
		gets(t, k, "a", "a 1")
		counts(t, k, hold.Count{Sessions: 2})
		time.Sleep(61 * time.Minute)
		gets(t, k, "c", "c 3")
		s.wants(t, "get a", "get b", "get c")
	})
}

// TestOldestRefused: of too many tokens without a session the oldest one is forgotten.
func TestOldestRefused(t *testing.T) {
	t.Parallel()
	run(t, hold.Limits{Sessions: 9, Refused: 3, Working: 9}, func(t *testing.T, s *source, k *hold.Keeper) {
		s.err = errAuthor
		for _, token := range []string{"a", "b", "c", "d", "b", "c", "d"} {
			fails(t, k, token, errAuthor)
		}
		s.wants(t, "get a", "get b", "get c", "get d")
		fails(t, k, "a", errAuthor)
		s.wants(t, "get a", "get b", "get c", "get d", "get a")
		counts(t, k, hold.Count{Refused: 3})
	})
}

// TestWorking: so many tokens are worked on at once, and none of them is forgotten.
func TestWorking(t *testing.T) {
	t.Parallel()
	run(t, hold.Limits{Sessions: 9, Refused: 2, Working: 9}, func(t *testing.T, s *source, k *hold.Keeper) {
		s.takes = time.Minute
		fails(t, k, "a", hold.ErrLater)
		fails(t, k, "b", hold.ErrLater)
		fails(t, k, "c", hold.ErrBusy)
		counts(t, k, hold.Count{Refused: 2, Working: 2})
		time.Sleep(time.Minute)
		gets(t, k, "a", "a 1")
		gets(t, k, "b", "b 2")
	})
	run(t, hold.Limits{Sessions: 9, Refused: 9, Working: 2}, func(t *testing.T, s *source, k *hold.Keeper) {
		s.takes = time.Minute
		fails(t, k, "a", hold.ErrLater)
		fails(t, k, "b", hold.ErrLater)
		began := time.Now()
		fails(t, k, "c", hold.ErrBusy)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		s.wants(t, "get a", "get b")
		time.Sleep(time.Minute)
		s.set(func(s *source) { s.takes = 0 })
		gets(t, k, "c", "c 3")
	})
}

// TestHalf: what nobody waits for takes at most half of the work.
func TestHalf(t *testing.T) {
	t.Parallel()
	run(t, hold.Limits{Sessions: 20, Refused: 20, Working: 4}, func(t *testing.T, s *source, k *hold.Keeper) {
		for i := range 10 {
			gets(t, k, fmt.Sprint(i), fmt.Sprintf("%d %d", i, i+1))
		}
		s.set(func(s *source) { s.policy, s.takes = "q", 10*time.Minute })
		time.Sleep(5 * time.Minute)
		counts(t, k, hold.Count{Sessions: 10, Working: 2})
		s.set(func(s *source) { s.takes = 0 })
		gets(t, k, "new", "new 13")
	})
}

// TestRace: many goroutines use a keeper whose policy file changes.
func TestRace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSource()
		s.takes, s.life = 100*time.Millisecond, time.Minute
		k := hold.New(s, hold.Limits{Sessions: 20, Refused: 5, Working: 10})
		var asking sync.WaitGroup
		for i := range 50 {
			asking.Go(func() {
				for range 200 {
					_, _ = k.Get(t.Context(), ask(fmt.Sprint(i%25)))
					_, _ = k.Kept(ask(fmt.Sprint(i % 7)))
					_ = k.Count()
					time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				}
			})
		}
		for i := range 100 {
			time.Sleep(time.Second)
			s.set(func(s *source) {
				s.policy, s.replaces = fmt.Sprint(i), i%2 == 0
				s.err = map[int]error{3: errAuthor, 5: errPassing}[i%7]
			})
			if n := k.Count(); n.Working > 10 || n.Refused > 30 || n.Sessions > 30 {
				t.Errorf("%+v", n)
			}
		}
		asking.Wait()
		k.Close()
		if n := k.Count(); n.Working != 0 {
			t.Errorf("after Close: %+v", n)
		}
	})
}

// TestOften: a token that asks more often than its limit in the long run is refused, and no other
// one; after a while it may ask again.
func TestOften(t *testing.T) {
	t.Parallel()
	limits := plenty()
	limits.PerSecond = 5
	run(t, limits, func(t *testing.T, _ *source, k *hold.Keeper) {
		for _, path := range []string{"a", "b"} {
			if _, err := k.Get(t.Context(), ask(path)); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 50 {
			if _, err := k.Kept(ask("a")); err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
		}
		if _, err := k.Kept(ask("a")); !errors.Is(err, hold.ErrOften) {
			t.Errorf("one too many: %v", err)
		}
		if _, err := k.Kept(ask("b")); err != nil {
			t.Errorf("another token: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := k.Kept(ask("a")); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}
