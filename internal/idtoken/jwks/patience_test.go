package jwks_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken/jwks"
	"rolecall/test/kit"
)

// TestPatience: who has a key of the last day that would do waits a moment for newer ones. Who has
// none waits as long as its context lasts.
func TestPatience(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		age  time.Duration
		kid  string
		most bool // it waits for the context
	}{
		"an old key":  {2 * time.Hour, "k", false},
		"another key": {2 * time.Hour, "x", true},
		"a day old":   {24 * time.Hour, "k", true},
		"too old":     {25 * time.Hour, "k", true},
	} {
		i := newIssuer(t, httptest.NewServer)
		s, _ := later(source(t, i.URL), 0) // its clock stands still
		verified(t, s, token(t, i.URL))
		i.keys = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		old, warnings := later(s, test.age)
		old.Patience = 50 * time.Millisecond
		raw := forge(t, jose.SigningKey{Algorithm: jose.RS256, Key: attacker()}, withKid(test.kid), claims(i.URL, nil))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		began := time.Now()
		_, err := old.Verify(ctx, raw)
		cancel()
		if waited := time.Since(began) > time.Second; waited != test.most || (err != nil) != test.most {
			t.Errorf("%s: %v after %v", name, err, time.Since(began))
		}
		if !test.most && (len(*warnings) != 1 || !strings.Contains((*warnings)[0], "2h0m0s old")) {
			t.Errorf("%s: warnings %q", name, *warnings)
		}
	}
}

// TestRefresh: keys of half an hour are requested, and younger ones are not.
func TestRefresh(t *testing.T) {
	t.Parallel()
	server := start(t)
	s, _ := later(source(t, server.Issuer()), 0)
	for _, step := range []struct {
		after    time.Duration
		requests int
	}{{0, 1}, {29 * time.Minute, 1}, {30 * time.Minute, 2}} {
		s, _ := later(s, step.after)
		kit.Must(t, s.Refresh(t.Context()))
		if n := server.KeyRequests(); n != step.requests {
			t.Errorf("after %v: %d requests", step.after, n)
		}
	}
	aged, _ := later(s, 62*time.Minute)
	server.FailKeys(http.StatusBadGateway)
	if err := aged.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), "HTTP status 502") {
		t.Errorf("a server that fails: %v", err)
	}
	if err := (jwks.Source{Issuer: s.Issuer, File: []byte("{}")}).Refresh(t.Context()); err != nil {
		t.Errorf("a file: %v", err)
	}
	if err := (jwks.Source{Issuer: s.Issuer}).Refresh(t.Context()); fault.CodeOf(err) != fault.BadIssuer {
		t.Errorf("no folder: %v", err)
	}
}
