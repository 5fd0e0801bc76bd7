package hold

import (
	"container/list"
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"sync"
	"time"
	"unique"
)

const (
	// FirstAnswer is how long a client waits for an answer that is not there yet. The SDKs wait
	// one second or two, and try again three times; by then the work has gone on.
	FirstAnswer = 900 * time.Millisecond
	// burst is how many seconds' requests a token may make at once.
	burst = 10
	// tick is the time between two looks at what is kept.
	tick = time.Second
)

// Keeper keeps sessions. Several goroutines can use it.
type Keeper struct {
	source Source
	limits Limits
	now    func() time.Time
	ctx    context.Context // of all work
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex // guards what follows, and all entries
	entries map[key]*entry
	without *list.List // the keys of entries without a session, the oldest first
	working int
}

// key identifies what is asked for with a token.
type key [sha256.Size]byte

// keyOf returns the key of an Ask. A path has no NUL.
func keyOf(a Ask) key { return sha256.Sum256([]byte(a.Path + "\x00" + a.Token)) }

// New returns a keeper of sessions of a source. The caller must call Close.
func New(source Source, limits Limits) *Keeper { return newKeeper(source, limits, time.Now) }

// newKeeper returns a keeper with a clock. It begins to look at what is kept.
func newKeeper(source Source, limits Limits, now func() time.Time) *Keeper {
	ctx, stop := context.WithCancel(context.Background())
	k := &Keeper{source: source, limits: limits, now: now, ctx: ctx, stop: stop, entries: map[key]*entry{}, without: list.New()}
	k.work.Go(k.watch)
	return k
}

// Close ends all work, and waits for its end. Nothing is begun any more.
func (k *Keeper) Close() {
	k.mu.Lock() // who begins work has looked at ctx
	k.stop()
	k.mu.Unlock()
	k.work.Wait()
}

// Count returns how much there is.
func (k *Keeper) Count() Count {
	k.mu.Lock()
	defer k.mu.Unlock()
	return Count{len(k.entries) - k.without.Len(), k.without.Len(), k.working}
}

// Kept returns the answer of a session, if there is one and nothing has to be done for it. Else the
// error is ErrNone. It is ErrOften if the token asks more often than its limit allows.
func (k *Keeper) Kept(a Ask) (string, error) {
	id, policy := keyOf(a), k.source.Policy()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	e := k.entries[id]
	if e == nil || !e.has(now, policy) {
		return "", ErrNone
	}
	e.asked = now
	if !e.mayAsk(now, k.limits.PerSecond) {
		return "", ErrOften
	}
	return e.session.Answer, nil
}

// Get returns the answer for a client: that of a session, or an error. It waits for FirstAnswer
// at most, and then returns ErrLater; the work goes on. It returns ErrBusy if a new token cannot
// be taken now. Other errors are those of the Source, and Ended.
func (k *Keeper) Get(ctx context.Context, a Ask) (string, error) {
	answer, wait, err := k.answer(a)
	if wait == nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, FirstAnswer)
	defer cancel()
	for wait != nil {
		select {
		case <-wait:
			answer, wait, err = k.answer(a)
		case <-ctx.Done():
			return "", ErrLater
		}
	}
	return answer, err
}

// answer returns the answer for a client, or what to wait for before it is asked for again.
func (k *Keeper) answer(a Ask) (answer string, wait <-chan struct{}, err error) {
	id, policy := keyOf(a), k.source.Policy()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	e := k.entries[id]
	if e == nil {
		if e = k.add(id, a); e == nil {
			return "", nil, ErrBusy
		}
	}
	e.asked = now
	switch {
	case e.has(now, policy):
		return e.session.Answer, nil, nil
	case e.ended(now):
		return "", nil, Ended(e.session.Ends)
	case e.done == nil && e.rests(now, policy):
		return "", nil, e.err
	case e.done == nil && !k.begin(e, policy):
		return "", nil, ErrBusy
	}
	return "", e.done, nil
}

// add adds an entry, unless there is no room. The caller holds the lock.
func (k *Keeper) add(id key, a Ask) *entry {
	if len(k.entries)-k.without.Len() >= k.limits.Sessions || k.without.Len() >= k.limits.Refused && !k.forget() {
		return nil
	}
	e := &entry{token: pack(a.Token), early: rand.Float64()} //nolint:gosec // it only spreads renewals
	e.ask = Ask{Path: unique.Make(a.Path).Value(), Client: unique.Make(a.Client).Value()}
	e.place = k.without.PushBack(e)
	k.entries[id] = e
	return e
}

// forget removes the oldest entry without a session that is not worked on. The caller holds the
// lock.
func (k *Keeper) forget() bool {
	for at := k.without.Front(); at != nil; at = at.Next() {
		if e := at.Value.(*entry); e.done == nil {
			k.remove(e)
			return true
		}
	}
	return false
}

// remove removes an entry. The caller holds the lock.
func (k *Keeper) remove(e *entry) {
	delete(k.entries, keyOf(e.whole()))
	if e.place != nil {
		k.without.Remove(e.place)
	}
}

// watch looks at what is kept until the keeper is closed.
func (k *Keeper) watch() {
	for {
		select {
		case <-k.ctx.Done():
			return
		case <-time.After(tick):
			k.look()
		}
	}
}

// look renews and decides anew what is due, and removes what is not needed. It leaves half of the
// work to those who ask.
func (k *Keeper) look() {
	policy := k.source.Policy()
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for _, e := range k.entries {
		switch {
		case e.done != nil:
		case e.over(now):
			k.remove(e)
		case k.working < (k.limits.Working+1)/2 && e.due(now, policy):
			k.begin(e, policy)
		}
	}
}
