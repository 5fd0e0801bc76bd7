package idtoken_test

import (
	"encoding/json"
	"slices"
	"strconv"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/idtoken"
	"rolecall/test/kit"
)

// TestGet: each claim that has a name is read from the member of that name, and no secret or
// time of the token has one.
func TestGet(t *testing.T) {
	t.Parallel()
	names, payload := idtoken.ClaimNames(), map[string]string{}
	for i, name := range names {
		payload[name] = strconv.Itoa(100 + i)
	}
	text, err := json.Marshal(payload)
	kit.Must(t, err)
	token, err := idtoken.Parse(sign(t, jose.ES256, string(text)))
	kit.Must(t, err)
	for name, want := range payload {
		if got, ok := token.Claims.Get(name); !ok || got != want {
			t.Errorf("%s is %q, %v, want %q", name, got, ok, want)
		}
		if got, ok := (idtoken.Claims{}).Get(name); !ok || got != "" {
			t.Errorf("%s of an empty token is %q, %v", name, got, ok)
		}
	}
	for _, name := range []string{"sub", "aud", "iss", "exp", "jti", "user_email", "Ref", "", "claim:ref"} {
		if _, ok := token.Claims.Get(name); ok {
			t.Errorf("%q is a claim", name)
		}
	}
	if !slices.IsSorted(names) || len(names) != 18 {
		t.Errorf("%d names: %q", len(names), names)
	}
}
