package jwks_test

import (
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken/jwks"
)

// TestKeys: only public, strong keys for signatures are used.
func TestKeys(t *testing.T) {
	t.Parallel()
	weak, p256, p384 := rsaKey(1024), ecKey(elliptic.P256()), ecKey(elliptic.P384())
	good := attacker()
	rs256, es256 := jose.SigningKey{Algorithm: jose.RS256, Key: good}, jose.SigningKey{Algorithm: jose.ES256, Key: p256}
	for name, test := range map[string]struct {
		key    jose.JSONWebKey
		signer jose.SigningKey
		taken  bool
	}{
		"RSA":               {jose.JSONWebKey{Key: good.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}, rs256, true},
		"RSA, no alg":       {jose.JSONWebKey{Key: good.Public(), KeyID: "k"}, rs256, true},
		"P-256":             {jose.JSONWebKey{Key: p256.Public(), KeyID: "k", Algorithm: "ES256"}, es256, true},
		"RSA of 1024":       {jose.JSONWebKey{Key: weak.Public(), KeyID: "k"}, jose.SigningKey{Algorithm: jose.RS256, Key: weak}, false},
		"RSA, private":      {jose.JSONWebKey{Key: good, KeyID: "k"}, rs256, false},
		"P-256, private":    {jose.JSONWebKey{Key: p256, KeyID: "k"}, es256, false},
		"RSA for RS512":     {jose.JSONWebKey{Key: good.Public(), KeyID: "k", Algorithm: "RS512"}, rs256, false},
		"RSA for ES256":     {jose.JSONWebKey{Key: good.Public(), KeyID: "k", Algorithm: "ES256"}, rs256, false},
		"P-256 for RS256":   {jose.JSONWebKey{Key: p256.Public(), KeyID: "k", Algorithm: "RS256"}, es256, false},
		"RSA to encrypt":    {jose.JSONWebKey{Key: good.Public(), KeyID: "k", Use: "enc"}, rs256, false},
		"RSA without a kid": {jose.JSONWebKey{Key: good.Public()}, rs256, false},
		"of another kid":    {jose.JSONWebKey{Key: good.Public(), KeyID: "K"}, rs256, false},
		"P-384":             {jose.JSONWebKey{Key: p384.Public(), KeyID: "k"}, es256, false},
		"oct":               {jose.JSONWebKey{Key: []byte(strings.Repeat("k", 64)), KeyID: "k"}, rs256, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			beside := jose.JSONWebKey{Key: ecKey(elliptic.P256()).Public(), KeyID: "beside"}
			s := jwks.Source{Issuer: "https://gitlab.invalid", File: keySet(t, beside, test.key)}
			raw := forge(t, test.signer, withKid("k"), claims(s.Issuer, nil))
			if test.taken {
				verified(t, s, raw)
			} else {
				refused(t, s, raw, fault.Author, "no key of https://gitlab.invalid has signed this token", "must renew jwks_file")
			}
		})
	}
}

// TestTwoKeysOfAName: of two keys with one id, each is tried.
func TestTwoKeysOfAName(t *testing.T) {
	t.Parallel()
	other, second := ecKey(elliptic.P256()), attacker()
	s := jwks.Source{Issuer: "i", File: keySet(t, jose.JSONWebKey{Key: other.Public(), KeyID: "k"}, jose.JSONWebKey{Key: second.Public(), KeyID: "k"})}
	verified(t, s, forge(t, jose.SigningKey{Algorithm: jose.RS256, Key: second}, withKid("k"), claims("i", nil)))
	verified(t, s, forge(t, jose.SigningKey{Algorithm: jose.ES256, Key: other}, withKid("k"), claims("i", nil)))
	third := jose.SigningKey{Algorithm: jose.ES256, Key: ecKey(elliptic.P256())}
	refused(t, s, forge(t, third, withKid("k"), claims("i", nil)), fault.Author, "its signature does not verify with the key")
}

// TestManyKeys: of more than 100 keys, the first ones count.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	first, last := ecKey(elliptic.P256()), ecKey(elliptic.P256())
	keys := slices.Repeat([]jose.JSONWebKey{{Key: first.Public(), KeyID: "first"}}, 100)
	s := jwks.Source{Issuer: "i", File: keySet(t, append(keys, jose.JSONWebKey{Key: last.Public(), KeyID: "last"})...)}
	verified(t, s, forge(t, jose.SigningKey{Algorithm: jose.ES256, Key: first}, withKid("first"), claims("i", nil)))
	refused(t, s, forge(t, jose.SigningKey{Algorithm: jose.ES256, Key: last}, withKid("last"), claims("i", nil)), fault.Author, "no key of i has signed this token")
	s.File = keySet(t, append(keys[1:], jose.JSONWebKey{Key: last.Public(), KeyID: "last"})...)
	verified(t, s, forge(t, jose.SigningKey{Algorithm: jose.ES256, Key: last}, withKid("last"), claims("i", nil)))
}

// TestBadFile: a bad jwks_file is the admin's error and causes no request.
func TestBadFile(t *testing.T) {
	t.Parallel()
	server := start(t)
	raw := server.SignToken(claims(server.Issuer(), nil))
	for content, want := range map[string]string{
		"": "no JSON Web Key Set", "<html>": "no JSON Web Key Set", `{"keys":{}}`: "no JSON Web Key Set", `{}`: "no key that may sign",
		`{"keys":[]}`: "no key that may sign",
		string(keySet(t, jose.JSONWebKey{Key: attacker().Public()})): "no key that may sign",
		// More bits than 4096 only cost time.
		string(keySet(t, jose.JSONWebKey{Key: &rsa.PublicKey{N: new(big.Int).Lsh(attacker().N, 2049), E: 65537}, KeyID: "k"})): "no key that may sign",
		// Of a key that contradicts itself nothing counts.
		strings.Replace(string(keySet(t, jose.JSONWebKey{Key: attacker().Public(), KeyID: "k"})), `"kid"`, `"x5u":"%zz","kid"`, 1): "no key that may sign",
		`{"keys":[null,1,{},{"kty":"oct","kid":"k","k":"AAAA"}]}`:                                                                  "no key that may sign",
	} {
		s := source(t, server.Issuer())
		s.File = []byte(content)
		refused(t, s, raw, fault.Admin, "the file with the keys of "+s.Issuer+" has "+want, "correct jwks_file")
	}
	if server.KeyRequests() != 0 {
		t.Errorf("%d requests", server.KeyRequests())
	}
}

// FuzzKeys: no answer of a server and no cache file makes the readers panic, or yields
// a key that must not be used.
func FuzzKeys(f *testing.F) {
	good := keySet(f, jose.JSONWebKey{Key: attacker().Public(), KeyID: "k"}, jose.JSONWebKey{Key: ecKey(elliptic.P256()), KeyID: "p"})
	for _, seed := range []string{
		string(good), `{"issuer":"i","fetched":"2026-01-02T03:04:05Z","tried":"2026-01-02T03:04:05Z","set":` + string(good) + `}`,
		`{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"AA","y":"AA"}]}`,
		`{"keys":[{"kty":"RSA","kid":"k","n":"","e":""}]}`, `{"set":null,"fetched":"2026-01-02T03:04:05Z"}`, `{"fetched":1}`, `null`, ``,
		`{"keys":[{"kty":"RSA","kid":"k","kid":"l","n":"AQAB","e":"AQAB","x5c":["AA"]}]}`, strings.Repeat(`{"keys":[`, 20000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := jwks.ParseKeys(data)
		if err == nil && len(keys) == 0 {
			t.Error("neither keys nor an error")
		}
		if c, err := jwks.ParseCache(data); err == nil {
			keys = append(keys, c.Keys.Keys...)
			if !c.Fetched.IsZero() && len(c.Keys.Keys) == 0 {
				t.Error("a cache without keys")
			}
		}
		for _, key := range keys {
			if !jwks.Usable(key) || !key.Valid() || !key.IsPublic() {
				t.Errorf("a key that must not count: %v", key)
			}
			if _, err := json.Marshal(key); err != nil {
				t.Errorf("a key that cannot be kept: %v", err)
			}
		}
	})
}
