package jwks_test

import (
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// noToken is the refusal of a text that is not a token in GitLab's form.
const noToken = "it is not a JSON Web Token signed with RS256 or ES256"

// publicKey returns the key that a server publishes.
func publicKey(t *testing.T, server *coordinator.Server) jose.JSONWebKey {
	t.Helper()
	response, err := http.Get(server.URL() + "/oauth/discovery/keys") //nolint:noctx // on loopback
	kit.Must(t, err)
	defer response.Body.Close()
	var set jose.JSONWebKeySet
	kit.Must(t, json.NewDecoder(response.Body).Decode(&set))
	return set.Keys[0]
}

// byHand returns a token with any header, signed with an HMAC by secret.
func byHand(t *testing.T, header string, secret []byte, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	kit.Must(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(header)) + "." + encode(payload)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return input + "." + encode(mac.Sum(nil))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
	server.RotateToECKey()
	s.Dir = source(t, s.Issuer).Dir
	verified(t, s, server.SignToken(claims(s.Issuer, nil)))
}

// TestForgedHeader: no header makes the driver use another key or algorithm, or send a
// request.
func TestForgedHeader(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		_, _ = w.Write(keySet(t, jose.JSONWebKey{Key: attacker().Public(), KeyID: "evil"}))
	}))
	t.Cleanup(evil.Close)
	server := start(t)
	s := source(t, server.Issuer())
	s.Wait = func(context.Context, time.Duration) error { return nil }
	public := publicKey(t, server)
	c := claims(s.Issuer, nil)
	own := jose.SigningKey{Algorithm: jose.RS256, Key: attacker()}
	der, err := x509.MarshalPKIXPublicKey(public.Key)
	kit.Must(t, err)
	hs256 := `{"alg":"HS256","kid":"` + public.KeyID + `"}`
	pkcs1 := x509.MarshalPKCS1PublicKey(public.Key.(*rsa.PublicKey))
	forPEM := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	const unknown = "no key of "
	notByKey := "its signature does not verify with the key (kid) of " + s.Issuer
	for name, test := range map[string]struct{ raw, want string }{
		"none":             {byHand(t, `{"alg":"none","kid":"`+public.KeyID+`"}`, nil, c), noToken},
		"no alg":           {byHand(t, `{"kid":"`+public.KeyID+`"}`, nil, c), noToken},
		"HS256 of PEM":     {byHand(t, hs256, forPEM("PUBLIC KEY", der), c), noToken},
		"HS256 of PKCS 1":  {byHand(t, hs256, forPEM("RSA PUBLIC KEY", pkcs1), c), noToken},
		"HS256 of DER":     {byHand(t, hs256, der, c), noToken},
		"HS256 of modulus": {byHand(t, hs256, public.Key.(*rsa.PublicKey).N.Bytes(), c), noToken},
		"RS256 as HMAC":    {byHand(t, strings.Replace(hs256, "HS", "RS", 1), der, c), notByKey},
		"ES256 by RSA key": {byHand(t, strings.Replace(hs256, "HS", "ES", 1), der, c), notByKey},
		"two algs":         {byHand(t, `{"alg":"RS256","alg":"HS256","kid":"`+public.KeyID+`"}`, der, c), noToken},
		"RS512":            {forge(t, jose.SigningKey{Algorithm: jose.RS512, Key: attacker()}, withKid(public.KeyID), c), noToken},
		"PS256":            {forge(t, jose.SigningKey{Algorithm: jose.PS256, Key: attacker()}, withKid(public.KeyID), c), noToken},
		"no kid":           {forge(t, own, nil, c), "its header names no key (kid)"},
		"kid is empty":     {forge(t, own, withKid(""), c), "its header names no key (kid)"},
		"same kid":         {forge(t, own, withKid(public.KeyID), c), notByKey},
		"kid as a path":    {forge(t, own, withKid("../../../../dev/null"), c), unknown},
		"kid as a URL":     {forge(t, own, withKid(evil.URL), c), unknown},
		"own jwk":          {forge(t, own, &jose.SignerOptions{EmbedJWK: true}, c), "its header has jwk"},
		"jku":              {forge(t, own, withKid("evil").WithHeader("jku", evil.URL), c), "its header has jku"},
		"x5u":              {forge(t, own, withKid("evil").WithHeader("x5u", evil.URL), c), "its header has x5u"},
		"crit":             {forge(t, own, withKid(public.KeyID).WithHeader("crit", []string{"exp"}), c), "its header has crit"},
	} {
		_, err := s.Verify(t.Context(), test.raw)
		if err == nil || !strings.Contains(err.Error(), test.want) || fault.SideOf(err) != fault.Author {
			t.Errorf("%s: error %v, want %q of the author", name, err, test.want)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("a token made the driver ask its server %d times", asked.Load())
	}
	if server.KeyRequests() > 4 { // one is of publicKey
		t.Errorf("%d requests for the keys", server.KeyRequests())
	}
}

// TestChangedToken: a signed token with any byte changed is refused.
func TestChangedToken(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	s.Wait = func(context.Context, time.Duration) error { return nil }
	raw := server.SignToken(claims(s.Issuer, nil))
	for i := range raw {
		changed := []byte(raw)
		changed[i] ^= 1
		if _, err := s.Verify(t.Context(), string(changed)); err == nil {
			t.Fatalf("byte %d of %d may change", i, len(raw))
		}
	}
	verified(t, s, raw)
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	for _, iss := range []string{s.Issuer + "/", strings.ToUpper(s.Issuer), s.Issuer + "/x", "https://evil.example", ""} {
		refused(t, s, server.SignToken(claims(iss, nil)), fault.Author, `its claim iss is "`+iss+`", want "`+s.Issuer+`"`)
	}
	if server.KeyRequests() != 0 {
		t.Error("a token of another issuer costs a request")
	}
	s.Issuer = ""
	refused(t, s, server.SignToken(claims("", nil)), fault.Admin, "no issuer of ID tokens is set")
}

// TestOfIDToken: texts that package idtoken refuses cause no request.
func TestOfIDToken(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	for want, raw := range map[string]string{
		noToken: "token", "exp has the wrong form": server.SignToken(claims(s.Issuer, map[string]any{"exp": "1"})),
		"at most 16384": server.SignToken(claims(s.Issuer, map[string]any{"x": strings.Repeat("x", 13<<10)})),
	} {
		refused(t, s, raw, fault.Author, want)
	}
	if server.KeyRequests() != 0 {
		t.Error("a token of another form costs a request")
	}
}

// TestNameTwice: a header that says a thing twice can say one to us and another to others.
func TestNameTwice(t *testing.T) {
	t.Parallel()
	s := source(t, "https://gitlab.invalid")
	_, err := s.Verify(t.Context(), byHand(t, `{"alg":"RS256","kid":"k","kid":"l"}`, nil, claims(s.Issuer, nil)))
	if err == nil || !strings.Contains(err.Error(), "it is not a JSON Web Token") || fault.SideOf(err) != fault.Author {
		t.Errorf("error %v", err)
	}
}
