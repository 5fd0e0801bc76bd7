package jwks_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken/jwks"
)

// TestDiscovery: the issuer's configuration, which must name the issuer, says where its
// keys are.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		issuer, keys string // of the answer; %s is the server
		side         fault.Side
		want         string
	}{
		"good":                  {"%s", "%s/keys", "", ""},
		"another issuer":        {"https://evil.example", "%s/keys", fault.Admin, "is not the issuer"},
		"a slash more":          {"%s/", "%s/keys", fault.Admin, "is not the issuer"},
		"no issuer":             {"", "%s/keys", fault.Admin, "is not the issuer"},
		"no address":            {"%s", "", fault.Admin, "the URL of the keys is not an https URL"},
		"a file":                {"%s", "file:///etc/passwd", fault.Admin, "not an https URL"},
		"with a password":       {"%s", "https://u:" + leak + "@127.0.0.1/keys", fault.Admin, "not an https URL"},
		"in the clear":          {"%s", "http://192.0.2.1/keys", fault.Admin, "at 192.0.2.1, is not https; http is for loopback only"},
		"a name like localhost": {"%s", "http://localhost.evil.example/keys", fault.Admin, "is not https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, httptest.NewServer)
			i.discovery = func(w http.ResponseWriter, _ *http.Request) {
				put := func(text string) string { return strings.ReplaceAll(text, "%s", i.URL) }
				_ = json.NewEncoder(w).Encode(map[string]string{"issuer": put(test.issuer), "jwks_uri": put(test.keys)})
			}
			s := source(t, i.URL)
			if test.side == "" {
				verified(t, s, token(t, i.URL))
				return
			}
			refused(t, s, token(t, i.URL), test.side, test.want)
			if i.requests.Load() != 0 {
				t.Error("the keys were asked for")
			}
		})
	}
}

// TestNoDiscovery: an answer that is not a configuration brings no keys.
func TestNoDiscovery(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"<html>", "", "[]", `{"issuer":1}`} {
		i := newIssuer(t, httptest.NewServer)
		i.discovery = func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, text) }
		refused(t, source(t, i.URL), token(t, i.URL), fault.Infrastructure, "is not an OpenID configuration")
	}
}

// TestIssuerWithSlash: the URL of discovery has no double slash.
func TestIssuerWithSlash(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, httptest.NewServer)
	i.discovery = func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL + "/", "jwks_uri": i.URL + "/keys"})
	}
	verified(t, source(t, i.URL+"/"), token(t, i.URL+"/"))
}

// TestNamedURL: with jwks_url there is no request for discovery, and the issuer need
// not be a reachable URL.
func TestNamedURL(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, httptest.NewServer)
	i.discovery = func(http.ResponseWriter, *http.Request) { t.Error("discovery was asked") }
	s := source(t, "https://gitlab.invalid")
	s.URL = i.URL + "/keys"
	verified(t, s, token(t, s.Issuer))
	other := s
	if other.URL = i.URL + "/keys?2"; jwks.CacheName(other) == jwks.CacheName(s) {
		t.Error("the keys of two addresses share a cache")
	}
	s = source(t, s.Issuer)
	for _, url := range []string{"ftp://127.0.0.1/keys", "http://[::1", "%zz", "https:///keys", "https:keys"} {
		s.URL = url
		refused(t, s, token(t, s.Issuer), fault.Admin, "the URL of the keys is not an https URL", "correct jwks_url")
	}
	s = source(t, "gitlab.invalid")
	refused(t, s, token(t, s.Issuer), fault.Admin, `the issuer "gitlab.invalid" is not an https URL`)
	s = source(t, "http://192.0.2.1")
	refused(t, s, token(t, s.Issuer), fault.Admin, "http is for loopback only")
}
