// Package hold keeps the sessions that a broker has got for ID tokens: one for each token and
// what it asks for, however many clients ask at once. It renews ahead what is asked for, and
// forgets what is not.
package hold

import (
	"context"
	"errors"
	"time"
)

// Ask is what a client asks for.
type Ask struct {
	Token  string // the ID token
	Path   string // of the tenant and the source
	Client string // address of the first client that has asked
}

// Session is a credential that is kept for an ID token.
type Session struct {
	Answer         string        // what clients get
	Since, Expires time.Time     // of the credential
	Ends           time.Time     // when the token ceases to serve
	Before         time.Duration // how long before its end the credential is renewed, as renewal.Session has it
	Terms          [32]byte      // hash of what was ordered
}

// over reports whether a time of the session has come: by the clock, or by how long ago the session
// was issued. A clock that was set back does not make it last.
func (s *Session) over(end, now time.Time) bool {
	return !now.Before(end) || now.Sub(s.Since) >= end.Sub(s.Since)
}

// Source gets sessions. It is called once at a time for an Ask.
type Source interface {
	// Policy returns the hash of the policy file in force.
	Policy() string
	// Get verifies a token, decides, and gets a session.
	Get(ctx context.Context, a Ask) (Session, error)
	// Renew decides anew about a token that Get has verified, and gets a new session.
	Renew(ctx context.Context, a Ask) (Session, error)
	// Check decides anew by the policy file in force. It returns old if that orders the same,
	// else a new session; or ErrUnused, if nobody has asked for it lately.
	Check(ctx context.Context, a Ask, old Session, used bool) (Session, error)
}

// ErrUnused says that nobody needs a session, and none was got.
var ErrUnused = errors.New("nobody asks for the credentials any more")

// ErrBusy says that nothing new is taken: too much is waited for or kept.
var ErrBusy = errors.New("too many ID tokens are waited for")

// ErrNone says that there is no session.
var ErrNone = errors.New("no session is kept")

// ErrOften says that a token asks too often.
var ErrOften = errors.New("too many requests with this ID token")

// ErrLater says that the answer is still worked on.
var ErrLater = errors.New("the credentials are being fetched")

// errStale says that a session has expired before anybody could get it.
var errStale = errors.New("the credentials had expired when they came; check NTP")

// Ended is the error of a token that has ceased to serve, with the time of that.
type Ended time.Time

// Error says when the token has ended.
func (e Ended) Error() string {
	return "the ID token served until " + time.Time(e).UTC().Format(time.RFC3339)
}

// Limits bound what is kept and worked on.
type Limits struct {
	Sessions int // tokens that sessions are kept for
	Refused  int // tokens without a session that are remembered; the oldest are forgotten
	Working  int // tokens that are worked on at once

	PerSecond int // requests of a token for a session that is kept, in the long run; 0: no bound
}

// Count is how much there is.
type Count struct{ Sessions, Refused, Working int }
