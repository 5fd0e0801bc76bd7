// Package jwks proves that an issuer has signed an ID token, by the keys that the
// issuer publishes. It keeps them in a file, since each prepare is a process of
// its own.
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

// Source says where the keys of an issuer are. Its zero fields but Issuer and Dir
// are good defaults.
type Source struct {
	Issuer   string // the claim iss of its tokens; also where discovery is
	URL      string // of the keys, instead of discovery's
	File     []byte // the keys themselves, a JSON Web Key Set: neither network nor Dir is used
	CABundle []byte // PEM, of authorities that are trusted beside the system's

	// Dir is a folder of the driver's user, closed to all others, where the keys are
	// kept. Who can write to it decides whose tokens are good.
	Dir string

	Warn func(text string) // told what does not stop a job, such as old keys
	Now  func() time.Time  // the clock; nil is the host's
}

// Verify reads an ID token and checks that the issuer has signed it, that its
// claim iss is the issuer, and its times. It says nothing of the token's audience
// and job. The network is asked only where the kept keys are an hour old or do
// not know the token's.
//
// Errors are of package fault and hold nothing of the token but its iss: a bad
// token is the author's, a setting that cannot work the admin's; a server that
// does not answer and a clock that is behind are infrastructure's.
func (s Source) Verify(ctx context.Context, raw string) (idtoken.Token, error) {
	token, err := idtoken.Parse(raw)
	if err != nil {
		return idtoken.Token{}, fault.New(fault.Author, err, "")
	}
	if s.Issuer == "" {
		return idtoken.Token{}, fault.New(fault.Admin, errors.New("no issuer of ID tokens is set"), "set issuer in the policy file")
	}
	if got := token.Claims.Issuer; got != s.Issuer {
		return idtoken.Token{}, fault.New(fault.Author, fmt.Errorf("its claim iss is %.200q, want %q", got, s.Issuer), "")
	}
	if err := s.checkSignature(ctx, token); err != nil {
		return idtoken.Token{}, err
	}
	if err := s.checkTimes(token.Claims); err != nil {
		return idtoken.Token{}, err
	}
	return token, nil
}

// checkSignature checks the signature of a token by the key that it names. Of its
// header nothing else counts.
func (s Source) checkSignature(ctx context.Context, token idtoken.Token) error {
	signed, err := jose.ParseSignedCompact(token.Raw.Reveal(), []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return fault.New(fault.Author, errors.New("it is no JSON Web Token"), "")
	}
	kid := signed.Signatures[0].Protected.KeyID
	if kid == "" {
		return fault.New(fault.Author, errors.New("its header names no key (kid)"), "")
	}
	keys, err := s.keys(ctx, kid)
	if err != nil {
		return err
	}
	for _, key := range keys { // a set may have two of a name
		if _, err := signed.Verify(key.Key); err == nil {
			return nil
		}
	}
	return fault.New(fault.Author, fmt.Errorf("its signature is not by the key of %s that it names", s.Issuer), "")
}

// checkTimes refuses a token that is over or not yet valid. GitLab's tokens last
// as long as their job may.
func (s Source) checkTimes(c idtoken.Claims) error {
	now := s.now().Unix()
	if c.Expiry <= 0 {
		return fault.New(fault.Author, errors.New("it has no claim exp"), "")
	}
	if now-skew >= c.Expiry {
		return fault.New(fault.Author, fmt.Errorf("the ID token is over since %s", time.Unix(c.Expiry, 0).UTC().Format(time.RFC3339)),
			"run the job again; if it had just begun, the clock of the runner's host is ahead: check NTP")
	}
	if begins := max(c.NotBefore, c.IssuedAt); begins > now+skew {
		return fault.New(fault.Infrastructure,
			fmt.Errorf("the ID token is not yet valid: the clock of the runner's host is %d s behind that of %s", begins-now, s.Issuer), "check NTP")
	}
	return nil
}

// now returns the time.
func (s Source) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// warn tells what does not stop a job.
func (s Source) warn(format string, args ...any) {
	if s.Warn != nil {
		s.Warn(fmt.Sprintf(format, args...))
	}
}
