package hold

import (
	"container/list"
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"rolecall/internal/fault"
	"rolecall/internal/renewal"
)

const (
	// used is how long ago a session must have been asked for to be renewed ahead.
	used = 15 * time.Minute
	// remembered is how long a refusal is the answer before it is looked into again.
	remembered = time.Minute
	// firstPause and longestPause are the times between two tries after an error of
	// infrastructure. The SDKs try again after a second.
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
)

// entry is what is kept for a token and what it asks for.
type entry struct {
	ask   Ask           // without its token
	token packed        // of the ask
	early float64       // as renewal.Session has it
	place *list.Element // in Keeper.without; nil: there is a session

	rate    *rate.Limiter // of clients that ask for what is kept; nil: nobody has
	asked   time.Time     // when a client has asked last
	session *Session      // nil: there is none
	policy  string        // by which the session or the error came
	err     error         // of the last try; nil: it went well
	again   time.Time     // when the next try may follow
	pause   time.Duration // before it
	done    chan struct{} // closed when the work has ended; nil: nobody works
}

// mayAsk counts a request, and reports whether there are not too many.
func (e *entry) mayAsk(now time.Time, perSecond int) bool {
	if perSecond == 0 {
		return true
	}
	if e.rate == nil {
		e.rate = rate.NewLimiter(rate.Limit(perSecond), burst*perSecond)
	}
	return e.rate.AllowN(now, 1)
}

// whole returns the ask with its token.
func (e *entry) whole() Ask {
	a := e.ask
	a.Token = e.token.token()
	return a
}

// ended reports whether the token has ceased to serve.
func (e *entry) ended(now time.Time) bool {
	return e.session != nil && e.session.over(e.session.Ends, now)
}

// has reports whether the entry has a session that clients may get.
func (e *entry) has(now time.Time, policy string) bool {
	return e.session != nil && e.policy == policy && !e.session.over(e.session.Expires, now) && !e.ended(now)
}

// rests reports whether the last try has failed, and it is too early for another one.
func (e *entry) rests(now time.Time, policy string) bool {
	return e.err != nil && e.policy == policy && now.Before(e.again)
}

// used reports whether a client has asked lately.
func (e *entry) used(now time.Time) bool { return now.Sub(e.asked) < used }

// over reports whether nobody needs the entry any more.
func (e *entry) over(now time.Time) bool {
	if e.session == nil {
		return now.Sub(e.asked) >= remembered && !now.Before(e.again)
	}
	return e.ended(now) || !e.used(now) && e.session.over(e.session.Expires, now)
}

// due reports whether the entry is worked on although nobody asks.
func (e *entry) due(now time.Time, policy string) bool {
	switch {
	case e.session == nil || e.rests(now, policy):
		return false
	case e.policy != policy:
		return true
	case !e.used(now):
		return false
	}
	due, ok := renewal.Session{Since: e.session.Since, Expires: e.session.Expires, Before: e.session.Before, Ends: e.session.Ends, Early: e.early}.Due()
	return ok && !now.Before(due)
}

// begin begins to work on an entry, unless too many are worked on. The caller holds the lock,
// and nobody works on the entry.
func (k *Keeper) begin(e *entry, policy string) bool {
	if k.working >= k.limits.Working || k.ctx.Err() != nil {
		return false
	}
	k.working++
	e.done = make(chan struct{})
	work := k.workOn(*e, policy)
	k.work.Go(func() {
		s, err := work(k.ctx)
		k.end(e, policy, s, err)
	})
	return true
}

// workOn returns what is done for an entry.
func (k *Keeper) workOn(e entry, policy string) func(context.Context) (Session, error) {
	a, now := e.whole(), k.now()
	switch {
	case e.session == nil:
		return func(ctx context.Context) (Session, error) { return k.source.Get(ctx, a) }
	case e.policy != policy && !e.session.over(e.session.Expires, now):
		return func(ctx context.Context) (Session, error) { return k.source.Check(ctx, a, *e.session, e.used(now)) }
	}
	return func(ctx context.Context) (Session, error) { return k.source.Renew(ctx, a) }
}

// end ends the work on an entry.
func (k *Keeper) end(e *entry, policy string, s Session, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.working--
	close(e.done)
	e.done = nil
	if err == nil && s.over(s.Expires, k.now()) {
		err = errStale // else all who wait would ask again at once
	}
	if err != nil {
		k.fail(e, policy, err)
		return
	}
	e.session, e.policy, e.err, e.pause = &s, policy, nil, 0
	if e.place != nil {
		k.without.Remove(e.place)
		e.place = nil
	}
}

// fail notes an error. A session that another policy file has allowed is not kept: the one in
// force does not allow it, or orders something else. Nor is that of a job that is refused now.
func (k *Keeper) fail(e *entry, policy string, err error) {
	if e.session != nil && (e.policy != policy || fault.SideOf(err) == fault.Author) {
		e.session = nil
		e.place = k.without.PushBack(e)
	}
	e.policy, e.err, e.pause = policy, err, min(max(2*e.pause, firstPause), longestPause)
	wait := e.pause
	if errors.Is(err, ErrUnused) {
		e.err = nil // who asks now gets another one
	}
	if fault.SideOf(err) != fault.Infrastructure {
		wait = remembered
	}
	e.again = k.now().Add(wait)
}
