// Package jwks checks that an issuer has signed an ID token, with the keys that the
// issuer publishes. It keeps the keys in a file, since each job starts a new process.
//
// https://openid.net/specs/openid-connect-discovery-1_0.html
package jwks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
)

// skew is how far the clocks of this host and the issuer may differ, in seconds.
const skew = 60

// Source says where the keys of an issuer are. All fields except Issuer and Dir may be
// zero.
type Source struct {
	Issuer   string // the claim iss of its tokens, and the URL for discovery
	URL      string // of the keys; empty: discovery finds it
	File     []byte // the keys themselves, a JSON Web Key Set: neither network nor Dir is used
	CABundle []byte // PEM, authorities that are trusted in addition to the system's

	// Dir is the folder that keeps the keys. It must belong to the driver's user and be
	// closed to all others: whoever can write to it can make tokens.
	Dir string

	// Patience is how long Verify waits for newer keys if it has one of the last day that would do;
	// 0: as long as its context lasts.
	Patience time.Duration

	Warn func(text string) // gets problems that do not stop a job, such as old keys; may be nil
	Now  func() time.Time  // the clock; nil is the host's

	// Wait waits for a time, and returns an error if the context ends before; nil waits by
	// the host's clock.
	Wait func(context.Context, time.Duration) error
}

// Verify reads an ID token, and checks its signature, its times, and that its claim iss
// is the issuer. It does not check the token's audience and job. It requests keys only if
// the kept keys are an hour old or have none with the token's key id.
//
// Errors are of package fault and hold no part of the token except iss. A bad token is
// the author's; a wrong setting is the admin's; a server that does not answer and a
// clock that is behind are infrastructure's.
func (s Source) Verify(ctx context.Context, raw string) (idtoken.Token, error) {
	token, err := idtoken.Parse(raw)
	if err != nil {
		return idtoken.Token{}, fault.New(fault.ForeignToken, err, "")
	}
	if s.Issuer == "" {
		return idtoken.Token{}, fault.New(fault.BadIssuer, errors.New("no issuer of ID tokens is set"), "set issuer in the policy file")
	}
	if got := token.Claims.Issuer; got != s.Issuer {
		return idtoken.Token{}, fault.New(fault.ForeignToken, fmt.Errorf("its claim iss is %.200q, want %q", got, s.Issuer), "")
	}
	if err := s.checkSignature(ctx, token); err != nil {
		return idtoken.Token{}, err
	}
	if err := s.checkTimes(token.Claims); err != nil {
		return idtoken.Token{}, err
	}
	return token, nil
}

// checkSignature checks the signature of a token with the issuer's key that its header
// names. It ignores the rest of the header.
func (s Source) checkSignature(ctx context.Context, token idtoken.Token) error {
	signed, err := jose.ParseSignedCompact(token.Raw.Reveal(), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return fault.New(fault.ForeignToken, errors.New("it is not a JSON Web Token"), "")
	}
	kid := signed.Signatures[0].Protected.KeyID
	if kid == "" {
		return fault.New(fault.ForeignToken, errors.New("its header names no key (kid)"), "")
	}
	keys, err := s.keys(ctx, kid)
	if err != nil {
		return err
	}
	for _, key := range keys { // a set may have two keys with the same id
		if _, err := signed.Verify(key.Key); err == nil {
			return nil
		}
	}
	return fault.New(fault.ForeignToken, fmt.Errorf("its signature does not verify with the key (kid) of %s that it names", s.Issuer), "")
}

// checkTimes fails if a token has expired or is not yet valid. GitLab's tokens are valid
// for the timeout of the job.
func (s Source) checkTimes(c idtoken.Claims) error {
	if err := s.checkExpiry(c.Expiry); err != nil {
		return err
	}
	return s.checkBegin(max(c.NotBefore, c.IssuedAt))
}

// checkExpiry fails if a token with that expiry, in seconds since 1970, has expired.
func (s Source) checkExpiry(expiry int64) error {
	if expiry <= 0 {
		return fault.New(fault.ForeignToken, errors.New("it has no claim exp"), "")
	}
	if s.now().Unix()-skew >= expiry {
		return fault.New(fault.ForeignToken, fmt.Errorf("the ID token expired at %s", time.Unix(expiry, 0).UTC().Format(time.RFC3339)),
			"run the job again; if the job had only just started, the clock of the runner's host is ahead: check NTP")
	}
	return nil
}

// checkBegin fails if a token that is valid from begins on, in seconds since 1970, is not
// yet valid.
func (s Source) checkBegin(begins int64) error {
	if now := s.now().Unix(); begins > now+skew {
		return fault.New(fault.Clock, errors.New("the ID token is not yet valid"), "check NTP").
			Detail("why", fmt.Sprintf("the clock of the runner's host is %d s behind that of %s", begins-now, s.Issuer))
	}
	return nil
}

// now returns the time by the source's clock.
func (s Source) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// wait waits for a time, as Wait does.
func (s Source) wait(ctx context.Context, d time.Duration) error {
	if s.Wait != nil {
		return s.Wait(ctx, d)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// warn passes a problem that does not stop a job to Warn.
func (s Source) warn(format string, args ...any) {
	if s.Warn != nil {
		s.Warn(fmt.Sprintf(format, args...))
	}
}
