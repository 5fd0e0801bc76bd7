package sts_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/test/fakests"
)

// TestLate: a request of a chain whose time STS refuses is not tried again, and the clock is
// named, not a trust policy.
func TestLate(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException"} {
		c := newChain(t, fakests.OK(fakests.Credentials{}), fakests.Error(403, code, "x "+leak))
		c.refused(t, fault.Infrastructure, 2, `STS refuses the time of a request ("`+code+`")`, "check NTP", "role: "+bridge)
	}
}

// TestOddClaims: a claim cannot add lines to an error, nor make it long.
func TestOddClaims(t *testing.T) {
	t.Parallel()
	c := newCall(t, fakests.Error(403, "AccessDenied", "x"))
	claims := &c.request.Token.Claims
	claims.Subject, claims.Audience = "a\nrolecall: info: all is well", idtoken.Audience{strings.Repeat("x", 400)}
	c.refused(t, fault.Account, 1, `sub  "a\nrolecall: info: all is well"`, "aud  "+strings.Repeat("x", 300)+"...\n", `:aud": "...",`)
}
