// Package issuer verifies ID tokens as a cloud does: by the keys that their issuer publishes. It
// has nothing of the driver, so that the two can be held against each other.
package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer is a server whose ID tokens are taken.
type Issuer struct {
	URL        string
	Algorithms []jose.SignatureAlgorithm // of signatures
}

// Reason is why a token is refused.
type Reason int

// The reasons, in the order in which a token is looked at.
const (
	Malformed Reason = iota + 1
	Foreign          // of another issuer
	Silent           // the issuer does not answer
	NoKey            // the issuer has no key of that name
	Forged
	Expired
	Early
)

// Refusal is the error of a token that is refused.
type Refusal struct {
	Reason Reason
	cause  error
}

// Error returns the cause.
func (r Refusal) Error() string { return r.cause.Error() }

// Unwrap returns the cause.
func (r Refusal) Unwrap() error { return r.cause }

// maxWait bounds how long the issuer may take.
const maxWait = 5 * time.Second

// Verify returns the claims of a token that the issuer has signed and that is valid at a time. It
// also decodes the claims into what further names. Errors are Refusals; the claims beside one
// were not verified, and are what could be read.
func (i Issuer) Verify(ctx context.Context, raw string, now time.Time, further ...any) (jwt.Claims, error) {
	var c jwt.Claims
	token, err := jwt.ParseSigned(raw, i.Algorithms)
	if err == nil {
		err = token.UnsafeClaimsWithoutVerification(&c)
	}
	if err != nil {
		return c, Refusal{Malformed, err}
	}
	if c.Issuer != i.URL {
		return c, Refusal{Foreign, fmt.Errorf("the issuer is %q", c.Issuer)}
	}
	keys, err := i.keys(ctx)
	if err != nil {
		return c, Refusal{Silent, err}
	}
	if err := token.Claims(keys, append(further, &c)...); err != nil {
		return c, Refusal{reasonOf(err), err}
	}
	return c, validAt(c, now)
}

// reasonOf returns why the keys do not fit a token.
func reasonOf(err error) Reason {
	if errors.Is(err, jose.ErrJWKSKidNotFound) {
		return NoKey
	}
	return Forged
}

// validAt returns an error unless the claims allow the time. A token must say when it ends.
func validAt(c jwt.Claims, now time.Time) error {
	if c.Expiry == nil {
		return Refusal{Malformed, errors.New("the token never expires")}
	}
	err := c.ValidateWithLeeway(jwt.Expected{Time: now}, time.Second)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jwt.ErrExpired):
		return Refusal{Expired, err}
	}
	return Refusal{Early, err}
}

// keys returns the keys that the issuer publishes.
func (i Issuer) keys(ctx context.Context) (*jose.JSONWebKeySet, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	var discovery struct {
		JWKSURI string `json:"jwks_uri"`
	}
	keys := new(jose.JSONWebKeySet)
	if err := get(ctx, strings.TrimSuffix(i.URL, "/")+"/.well-known/openid-configuration", &discovery); err != nil {
		return nil, err
	}
	return keys, get(ctx, discovery.JWKSURI, keys)
}

// get reads the JSON at url.
func get(ctx context.Context, url string, to any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return json.NewDecoder(http.MaxBytesReader(nil, response.Body, 1<<20)).Decode(to)
}
