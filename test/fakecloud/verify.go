package fakecloud

import (
	"context"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"rolecall/test/issuer"
)

// verify returns the claims of an ID token, and an error unless a key that its issuer publishes
// has signed it, and it is valid now.
func (s *Server) verify(ctx context.Context, raw string) (jwt.Claims, error) {
	from := issuer.Issuer{URL: s.rules.Issuer, Algorithms: []jose.SignatureAlgorithm{jose.RS256}}
	return from.Verify(ctx, raw, time.Now())
}

// because reports whether a token was refused for a reason.
func because(err error, reason issuer.Reason) bool {
	var refused issuer.Refusal
	return errors.As(err, &refused) && refused.Reason == reason
}
