package jwks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken/jwks"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// attacker is a key that no issuer has. It is shared: it takes long to make.
var attacker = sync.OnceValue(func() *rsa.PrivateKey { return rsaKey(2048) })

func rsaKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

func ecKey(curve elliptic.Curve) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

// start returns a GitLab server.
func start(t testing.TB) *coordinator.Server {
	t.Helper()
	server, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(server.Close)
	return server
}

// source returns a source of the issuer's keys that has kept none. A warning fails the
// test.
func source(t testing.TB, issuer string) jwks.Source {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	kit.Must(t, os.Mkdir(dir, 0o700))
	return jwks.Source{Issuer: issuer, Dir: dir, Warn: func(text string) { t.Errorf("warning: %s", text) }}
}

// later returns s with a clock that is ahead by this time and stands still, and its
// warnings.
func later(s jwks.Source, by time.Duration) (jwks.Source, *[]string) {
	now := time.Now().Add(by)
	if s.Now != nil {
		now = s.Now().Add(by)
	}
	warnings := new([]string)
	s.Now = func() time.Time { return now }
	s.Warn = func(text string) { *warnings = append(*warnings, text) }
	return s, warnings
}

// waiting returns s with a clock that goes on by what it waits for, and how long it has
// waited. With an error it does not wait.
func waiting(s jwks.Source, err error) (jwks.Source, *time.Duration) {
	now, waited := s.Now(), new(time.Duration)
	s.Now = func() time.Time { return now.Add(*waited) }
	s.Wait = func(_ context.Context, d time.Duration) error {
		if err == nil {
			*waited += d
		}
		return err
	}
	return s, waited
}

// claims returns the claims of a token that is valid for days, with changes.
func claims(issuer string, change map[string]any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{"iss": issuer, "iat": now, "nbf": now - 5, "exp": now + 1e6, "job_id": "4711", "project_id": "12"}
	maps.Copy(c, change)
	return c
}

// keySet returns a key set with these keys.
func keySet(t testing.TB, keys ...jose.JSONWebKey) []byte {
	t.Helper()
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	kit.Must(t, err)
	return set
}

// forge signs claims with any key and header.
func forge(t testing.TB, key jose.SigningKey, options *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, options)
	kit.Must(t, err)
	payload, err := json.Marshal(claims)
	kit.Must(t, err)
	signed, err := signer.Sign(payload)
	kit.Must(t, err)
	token, err := signed.CompactSerialize()
	kit.Must(t, err)
	return token
}

// withKid returns options that name a key.
func withKid(kid string) *jose.SignerOptions {
	return new(jose.SignerOptions).WithHeader("kid", kid)
}

// verified checks that a token is accepted.
func verified(t testing.TB, s jwks.Source, raw string) {
	t.Helper()
	token, err := s.Verify(t.Context(), raw)
	if err != nil {
		t.Errorf("refused: %v", err)
	} else if token.Raw.Reveal() != raw || token.Claims.JobID != "4711" {
		t.Errorf("claims are %v", token.Claims)
	}
}

// refused checks that a token is refused, with this side and these texts.
func refused(t testing.TB, s jwks.Source, raw string, side fault.Side, want ...string) {
	t.Helper()
	token, err := s.Verify(t.Context(), raw)
	if err == nil || token.Raw.Reveal() != "" || token.Claims.Issuer != "" {
		t.Errorf("taken: %v, error %v; want %q", token.Claims, err, want)
		return
	}
	if fault.SideOf(err) != side {
		t.Errorf("the side of %q is %s, want %s", err, fault.SideOf(err), side)
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error %q, want %q in it", err, text)
		}
	}
	for part := range strings.SplitSeq(raw, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("error %q holds a part of the token", err)
		}
	}
}
