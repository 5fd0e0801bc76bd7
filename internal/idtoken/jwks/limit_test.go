package jwks_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
)

// TestLimit: tokens with unknown keys cause at most one request in five seconds. A job
// between two requests waits, and then its answer is definite: the token is the author's
// mistake, or it is good. Only a server that does not answer is infrastructure's.
func TestLimit(t *testing.T) {
	t.Parallel()
	server := start(t)
	first, _ := later(source(t, server.Issuer()), 0)
	verified(t, first, server.SignToken(claims(first.Issuer, nil)))
	forged := forge(t, jose.SigningKey{Algorithm: jose.RS256, Key: attacker()}, withKid("evil"), claims(first.Issuer, nil))
	at, _ := later(first, 4*time.Second)
	s, waited := waiting(at, nil)
	refused(t, s, forged, fault.Author, "no key of "+s.Issuer+" has signed this token")
	if *waited != time.Second || server.KeyRequests() != 2 {
		t.Errorf("a forged token waits for %v, and makes %d requests", *waited, server.KeyRequests())
	}
	server.RotateKey()
	raw := server.SignToken(claims(first.Issuer, nil))
	at, _ = later(first, 6*time.Second)
	s, _ = waiting(at, errors.New("too late"))
	refused(t, s, raw, fault.Infrastructure, "none of the keys of "+s.Issuer+", fetched 1s ago, has signed this token: they were requested 1s ago")
	at, _ = later(first, 12*time.Second)
	server.FailKeys(http.StatusBadGateway)
	s, _ = waiting(at, nil)
	refused(t, s, raw, fault.Infrastructure, "fetched 7s ago", "HTTP status 502")
	server.FailKeys(0)
	at, _ = later(first, 16*time.Second)
	s, waited = waiting(at, nil)
	refused(t, s, raw, fault.Infrastructure, "fetched 11s ago", "HTTP status 502") // as it was 4 s ago
	if *waited != 0 {
		t.Errorf("a job waits for %v for a server that does not answer", *waited)
	}
	s, _ = later(first, 17*time.Second) // 5 s later
	verified(t, s, raw)
	if server.KeyRequests() != 1+1+2+1 {
		t.Errorf("%d requests for the keys", server.KeyRequests())
	}
}

// TestWait: by default a job waits by the host's clock, and no longer than it may.
func TestWait(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
	server.RotateKey()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := s.Verify(ctx, server.SignToken(claims(s.Issuer, nil)))
	if err == nil || fault.SideOf(err) != fault.Infrastructure || time.Since(began) > 3*time.Second {
		t.Errorf("after %v: %v, want an error of infrastructure's", time.Since(began), err)
	}
}

// TestNoSecondTry: if there is no time for a second request, the error says why the first one
// failed. The time ends half of the pause after the first request; a slow host needs it for that
// request, and tries again.
func TestNoSecondTry(t *testing.T) {
	t.Parallel()
	server := start(t)
	raw := server.SignToken(claims(server.Issuer(), nil))
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		s := source(t, server.Issuer())
		var requests atomic.Int32
		keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			requests.Add(1)
			time.AfterFunc(100*time.Millisecond, cancel)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		s.URL = keys.URL
		_, err := s.Verify(ctx, raw)
		cancel()
		keys.Close()
		if err == nil {
			t.Fatal("it is taken")
		}
		if requests.Load() == 1 && strings.Contains(err.Error(), "HTTP status 503") {
			return
		}
		t.Logf("%d requests: %v", requests.Load(), err)
	}
	t.Error("no error says why the first request failed")
}
