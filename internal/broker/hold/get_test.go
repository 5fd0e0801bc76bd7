package hold_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rolecall/internal/broker/hold"
)

// TestOneCall: a token costs one call, however many ask at once and later. Another token, and
// another path, are others.
func TestOneCall(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.takes = 500 * time.Millisecond
		if _, err := k.Kept(ask("a")); err == nil {
			t.Error("a session is kept that nobody has asked for")
		}
		var asking sync.WaitGroup
		for range 100 {
			asking.Go(func() { gets(t, k, "a", "a 1") })
		}
		asking.Wait()
		gets(t, k, "a", "a 1")
		if got, err := k.Kept(ask("a")); err != nil || got != "a 1" {
			t.Errorf("%q, %v is kept", got, err)
		}
		gets(t, k, "b", "b 2")
		other := ask("a")
		other.Path += "/source"
		if got, err := k.Get(t.Context(), other); err != nil || got != "a 3" {
			t.Errorf("another path: %q, %v", got, err)
		}
		s.wants(t, "get a", "get b", "get a")
		counts(t, k, hold.Count{Sessions: 3})
	})
}

// TestLater: who waits gets an answer in time, and the next one finds what has come meanwhile.
func TestLater(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.takes = 3 * time.Second
		fails(t, k, "a", hold.ErrLater)
		if took := time.Since(s.began); took != 900*time.Millisecond {
			t.Errorf("the first answer took %v", took)
		}
		gone, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		if _, err := k.Get(gone, ask("a")); !errors.Is(err, hold.ErrLater) || time.Since(s.began) != time.Second {
			t.Errorf("a client that has gone: %v after %v", err, time.Since(s.began))
		}
		counts(t, k, hold.Count{Refused: 1, Working: 1})
		fails(t, k, "a", hold.ErrLater)
		time.Sleep(900 * time.Millisecond)
		gets(t, k, "a", "a 1")
		if took := time.Since(s.began); took != 3*time.Second {
			t.Errorf("the answer took %v", took)
		}
		s.wants(t, "get a")
		counts(t, k, hold.Count{Sessions: 1})
	})
}

// TestRefused: a refusal is the answer for a minute, and then looked into again.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{errAuthor, errAdmin} {
		run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
			s.err = refusal
			for range 60 {
				fails(t, k, "a", refusal)
				time.Sleep(999 * time.Millisecond)
			}
			s.wants(t, "get a")
			counts(t, k, hold.Count{Refused: 1})
			s.set(func(s *source) { s.err = nil })
			time.Sleep(60 * time.Millisecond)
			gets(t, k, "a", "a 2")
			counts(t, k, hold.Count{Sessions: 1})
		})
	}
}

// TestPauses: what can pass is tried again, with pauses that grow, and only if somebody asks.
func TestPauses(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.err = errPassing
		for time.Since(s.began) < 2*time.Minute {
			fails(t, k, "a", errPassing)
			time.Sleep(100 * time.Millisecond)
		}
		var at []time.Duration
		for _, c := range s.all() {
			at = append(at, c.at)
		}
		const ms, sec = time.Millisecond, time.Second
		if want := []time.Duration{0, 500 * ms, 1500 * ms, 3500 * ms, 7500 * ms, 15500 * ms, 31500 * ms, 61500 * ms, 91500 * ms}; !slices.Equal(at, want) {
			t.Errorf("it was tried after %v, want %v", at, want)
		}
		s.set(func(s *source) { s.err = nil })
		time.Sleep(10 * sec)
		s.wants(t, slices.Repeat([]string{"get a"}, 9)...)
		gets(t, k, "a", "a 10")
		s.change(errPassing, false)
		fails(t, k, "a", errPassing)
		time.Sleep(500 * ms)
		fails(t, k, "a", errPassing)
		if n := len(s.called()); n != 12 {
			t.Errorf("after a success the pause is another one: %q", s.called())
		}
	})
}

// TestClose: Close waits for what is worked on, and nothing is begun afterwards.
func TestClose(t *testing.T) {
	t.Parallel()
	run(t, plenty(), func(t *testing.T, s *source, k *hold.Keeper) {
		s.takes = 5 * time.Second
		fails(t, k, "a", hold.ErrLater)
		k.Close()
		if took := time.Since(s.began); took != 5*time.Second {
			t.Errorf("Close came back after %v", took)
		}
		counts(t, k, hold.Count{Sessions: 1})
		fails(t, k, "b", hold.ErrBusy)
		gets(t, k, "a", "a 1")
		time.Sleep(2 * time.Hour)
		s.wants(t, "get a")
	})
}

// TestCancelled: the context of the work ends with the keeper, and not with the client.
func TestCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		waits := waiting{newSource()}
		k := hold.New(waits, plenty())
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := k.Get(gone, ask("a")); !errors.Is(err, hold.ErrLater) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
		counts(t, k, hold.Count{Refused: 1, Working: 1})
		k.Close()
		counts(t, k, hold.Count{Refused: 1})
		if took := time.Since(waits.began); took != time.Hour {
			t.Errorf("Close took until %v", took)
		}
	})
}

// waiting is a source whose first answer comes when its context ends.
type waiting struct{ *source }

// Get is that of a hold.Source.
func (waiting) Get(ctx context.Context, _ hold.Ask) (hold.Session, error) {
	<-ctx.Done()
	return hold.Session{}, ctx.Err()
}
