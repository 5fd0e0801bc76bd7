package hold_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"rolecall/internal/broker/hold"
)

// clock returns a time as time.Now does, with a monotonic clock that shows how much has passed since
// the bubble began: inside of a bubble time.Now has none.
func clock(wall time.Time, passed time.Duration) time.Time {
	const monotonic = 1 << 63
	since := wall.Unix() - time.Date(1885, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	t := struct {
		wall uint64
		ext  int64
		loc  *time.Location
	}{monotonic | uint64(since)<<30 | uint64(wall.Nanosecond()), int64(passed) + 1, time.UTC}
	return *(*time.Time)(unsafe.Pointer(&t))
}

// runClocked is run with a clock that the test can set.
func runClocked(t *testing.T, test func(t *testing.T, s *source, k *hold.Keeper, set func(time.Duration))) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var off atomic.Int64
		s := newSource()
		s.now = func() time.Time { return clock(time.Now().Add(time.Duration(off.Load())), time.Since(s.began)) }
		k := hold.NewByClock(s, plenty(), s.now)
		defer k.Close()
		test(t, s, k, func(d time.Duration) { off.Store(int64(d)) })
	})
}

// TestClockBack: if the clock is set back, nothing lasts longer: no session, and no refusal.
func TestClockBack(t *testing.T) {
	t.Parallel()
	runClocked(t, func(t *testing.T, s *source, k *hold.Keeper, set func(time.Duration)) {
		s.token = 90 * time.Minute
		gets(t, k, "a", "a 1")
		s.set(func(s *source) { s.err = errAuthor })
		fails(t, k, "b", errAuthor)
		set(-24 * time.Hour)
		s.set(func(s *source) { s.err = nil })
		time.Sleep(61 * time.Second)
		gets(t, k, "b", "b 3")
		gets(t, k, "a", "a 1")
		s.set(func(s *source) { s.err = errPassing })
		time.Sleep(time.Hour)
		fails(t, k, "a", errPassing)
		time.Sleep(30 * time.Minute)
		counts(t, k, hold.Count{Sessions: 1})
	})
}

// TestClockForward: if the clock is set forward, what it says has ended is over. Set right again,
// all goes on.
func TestClockForward(t *testing.T) {
	t.Parallel()
	runClocked(t, func(t *testing.T, s *source, k *hold.Keeper, set func(time.Duration)) {
		gets(t, k, "a", "a 1")
		s.set(func(s *source) { s.err = errAuthor })
		fails(t, k, "b", errAuthor)
		s.set(func(s *source) { s.err = nil })
		set(24 * time.Hour)
		fails(t, k, "a", hold.Ended(s.began.Add(10*time.Hour)))
		fails(t, k, "b", errAuthor)
		time.Sleep(2 * time.Minute)
		counts(t, k, hold.Count{})
		set(0)
		gets(t, k, "a", "a 3")
		gets(t, k, "b", "b 4")
	})
}
