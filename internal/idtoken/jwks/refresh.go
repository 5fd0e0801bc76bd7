package jwks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
)

// How old keys may be, and how often they are requested.
const (
	fresh  = time.Hour       // older keys are requested again
	oldest = 24 * time.Hour  // older keys are not used, even if the issuer does not answer
	gap    = 5 * time.Second // between two requests if there are keys
	// gapWithout is the time between two requests if there are no keys. GitLab Runner
	// calls prepare again 3 s after a failure, and this call must make a request.
	gapWithout = 2 * time.Second
	patience   = 30 * time.Second // for the lock and the requests together
)

// keys returns the issuer's keys with the id kid, from File, the cache or the network.
func (s Source) keys(ctx context.Context, kid string) ([]jose.JSONWebKey, error) {
	if s.File != nil {
		return s.keysOfFile(kid)
	}
	d, err := openFolder(s.Dir)
	if err != nil {
		return nil, s.closedFolder(err)
	}
	defer d.close()
	began := s.now()
	c := s.read(d)
	if s.good(c, kid) {
		return c.Keys.Key(kid), nil
	}
	ctx, cancel := s.bound(ctx, c, kid)
	defer cancel()
	c, err = s.refresh(ctx, d, kid, began)
	found := c.Keys.Key(kid)
	age := s.now().Sub(c.Fetched).Round(time.Second)
	switch {
	case len(found) == 0 && err == nil:
		return nil, s.unknown("")
	case err == nil:
		return found, nil
	case age >= oldest:
		return nil, fault.New(keysCode(err), fmt.Errorf("no keys of %s: %w", s.Issuer, err),
			"if the runner's host cannot reach the issuer, set jwks_file to a file with its keys")
	case len(found) > 0:
		s.warn("the keys of %s are %v old: %v", s.Issuer, age, err)
		return found, nil
	}
	return nil, fault.New(fault.NoKeys,
		fmt.Errorf("none of the keys of %s, fetched %v ago, has signed this token: %w", s.Issuer, age, err), "")
}

// bound bounds the time for newer keys if the kept ones would do.
func (s Source) bound(ctx context.Context, c cache, kid string) (context.Context, context.CancelFunc) {
	if s.Patience == 0 || len(c.Keys.Key(kid)) == 0 || s.now().Sub(c.Fetched) >= oldest {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.Patience)
}

// Refresh requests the keys if the kept ones are older than half of the time in which they are
// fresh: then Verify need not. Its errors are those of the request.
func (s Source) Refresh(ctx context.Context) error {
	if s.File != nil {
		return nil
	}
	d, err := openFolder(s.Dir)
	if err != nil {
		return s.closedFolder(err)
	}
	defer d.close()
	began := s.now()
	if c := s.read(d); began.Sub(c.Fetched) < fresh/2 {
		return nil
	}
	_, err = s.refresh(ctx, d, "", began)
	return err
}

// closedFolder returns the error that the folder of the keys cannot be used.
func (s Source) closedFolder(err error) error {
	return fault.New(fault.BadIssuer, fmt.Errorf("the folder of the issuer's keys, %s: %w", s.Dir, err),
		"it must be a folder with mode 0700 that belongs to the user who runs the driver")
}

// keysCode returns the code of the error that there are no keys, because of err.
func keysCode(err error) fault.Code {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fault.CodeOf(err)
	}
	return fault.NoKeys
}

// keysOfFile returns the keys in File with the id kid.
func (s Source) keysOfFile(kid string) ([]jose.JSONWebKey, error) {
	keys, err := parseKeys(s.File)
	if err != nil {
		return nil, fault.New(fault.BadIssuer, fmt.Errorf("the file with the keys of %s has %w", s.Issuer, err), "correct jwks_file")
	}
	found := slices.DeleteFunc(keys, func(key jose.JSONWebKey) bool { return key.KeyID != kid })
	if len(found) == 0 {
		return nil, s.unknown("if the issuer has new keys, the runner's admin must renew jwks_file")
	}
	return found, nil
}

// unknown returns the refusal of a token that no key of the issuer has signed.
func (s Source) unknown(next string) error {
	return fault.New(fault.ForeignToken, fmt.Errorf("no key of %s has signed this token", s.Issuer), next)
}

// good reports whether the cache is fresh and has a key with the id kid.
func (s Source) good(c cache, kid string) bool {
	return s.now().Sub(c.Fetched) < fresh && len(c.Keys.Key(kid)) > 0
}

// refresh requests the keys, or waits until another process has done so since this one
// began, and returns the new cache. If the last request was a short time ago, it first
// waits: then the answer is definite, and a token with an unknown key cannot make a job fail
// as if the issuer did not answer. If refresh fails, it returns the old cache with the error.
func (s Source) refresh(ctx context.Context, d folder, kid string, began time.Time) (cache, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	locked := d.lock(ctx)
	c := s.read(d)
	if s.good(c, kid) || !c.Fetched.Before(began) {
		return c, nil
	}
	if locked != nil {
		return c, locked
	}
	if err := s.waitGap(ctx, c); err != nil {
		return c, err
	}
	began = s.now()
	keys, err := s.fetch(ctx)
	c.Issuer, c.Tried, c.Failure = s.Issuer, s.now(), ""
	if err == nil {
		c.Fetched, c.Keys.Keys = began, keys
	} else {
		c.Failure = err.Error()
	}
	if failed := s.write(d, c); failed != nil {
		s.warn("the keys of %s cannot be kept in %s: %v", s.Issuer, s.Dir, failed)
	}
	return c, err
}

// waitGap waits until the next request for keys may follow. It fails if the last one has
// failed a short time ago, or if ctx ends before.
func (s Source) waitGap(ctx context.Context, c cache) error {
	since := s.now().Sub(c.Tried)
	left := s.gapFor(c) - since
	switch {
	case left <= 0:
		return nil
	case c.Failure != "":
		return errors.New(c.Failure)
	}
	if s.wait(ctx, left) != nil {
		return fmt.Errorf("they were requested %v ago", since.Round(time.Second))
	}
	return nil
}

// gapFor returns how long after a request the next one may follow.
func (s Source) gapFor(c cache) time.Duration {
	if s.now().Sub(c.Fetched) >= oldest {
		return gapWithout
	}
	return gap
}
