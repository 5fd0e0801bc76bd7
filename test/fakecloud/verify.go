package fakecloud

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// verify returns the claims of an ID token, and an error unless a key that its issuer publishes
// has signed it, and it is valid now.
func verify(issuer, raw string) (jwt.Claims, error) {
	var c jwt.Claims
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return c, err
	}
	if err := token.UnsafeClaimsWithoutVerification(&c); err != nil {
		return c, err
	}
	keys, err := keysOf(issuer)
	if err != nil {
		return c, err
	}
	if err := token.Claims(keys, &c); err != nil {
		return c, err
	}
	return c, c.ValidateWithLeeway(jwt.Expected{Issuer: issuer, Time: time.Now()}, time.Second)
}

// keysOf returns the keys that an issuer publishes.
func keysOf(issuer string) (*jose.JSONWebKeySet, error) {
	var discovery struct {
		JWKSURI string `json:"jwks_uri"`
	}
	keys := new(jose.JSONWebKeySet)
	if err := get(issuer+"/.well-known/openid-configuration", &discovery); err != nil {
		return nil, err
	}
	return keys, get(discovery.JWKSURI, keys)
}

// get reads the JSON at url.
func get(url string, to any) error {
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return json.NewDecoder(response.Body).Decode(to)
}
