package jwks_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"rolecall/internal/fault"
)

func TestTimes(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	now := time.Now().Truncate(time.Second)
	s.Now = func() time.Time { return now.Add(900 * time.Millisecond) }
	at := now.Unix()
	over := "the ID token expired at "
	for _, test := range []struct {
		claim string
		value any
		side  fault.Side // empty: taken
		want  string
	}{
		{"exp", at + 1, "", ""},
		{"exp", at - 59, "", ""},
		{"exp", at - 60, fault.Author, over},
		{"exp", at - 61, fault.Author, over + now.Add(-61*time.Second).UTC().Format(time.RFC3339)},
		{"exp", at - 1e6, fault.Author, "run the job again"},
		{"exp", 0, fault.Author, "it has no claim exp"},
		{"exp", nil, fault.Author, "it has no claim exp"},
		{"exp", math.MinInt64, fault.Author, "it has no claim exp"},
		{"exp", math.MaxInt64, "", ""},
		{"nbf", at + 59, "", ""},
		{"nbf", at + 60, "", ""},
		{"nbf", at + 61, fault.Infrastructure, "the clock of the runner's host is 61 s behind that of " + s.Issuer},
		{"nbf", math.MaxInt64, fault.Infrastructure, "check NTP"},
		{"nbf", math.MinInt64, "", ""},
		{"iat", at + 59, "", ""},
		{"iat", at + 600, fault.Infrastructure, "600 s behind"},
		{"iat", at - 1e7, "", ""},
	} {
		t.Run(fmt.Sprint(test.claim, " ", test.value), func(t *testing.T) {
			t.Parallel()
			c := claims(s.Issuer, map[string]any{test.claim: test.value})
			if test.value == nil {
				delete(c, test.claim)
			}
			raw := server.SignToken(c)
			if test.side == "" {
				verified(t, s, raw)
			} else {
				refused(t, s, raw, test.side, test.want)
			}
		})
	}
}
