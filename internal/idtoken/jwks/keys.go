package jwks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys bounds how many keys of an issuer are used, to bound the time. GitLab has two
// or three.
const maxKeys = 100

// parseKeys returns the keys of a JSON Web Key Set that may sign ID tokens. It skips other
// keys, as the RFC requires: an issuer may publish keys for other purposes. It fails if
// the set has no usable key.
//
// https://www.rfc-editor.org/rfc/rfc7517#section-5
func parseKeys(data []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, errors.New("no JSON Web Key Set")
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if len(keys) < maxKeys && json.Unmarshal(raw, &key) == nil && usable(key) {
			keys = append(keys, jose.JSONWebKey{Key: key.Key, KeyID: key.KeyID, Algorithm: key.Algorithm, Use: key.Use})
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key that may sign ID tokens")
	}
	return keys, nil
}

// usable reports whether a key is public, strong, and meant for signatures with RS256 or
// ES256. RSA keys of more than 4096 bits, which only cost time, are none for go-jose.
func usable(key jose.JSONWebKey) bool {
	if key.KeyID == "" || key.Use != "" && key.Use != "sig" {
		return false
	}
	var algorithm jose.SignatureAlgorithm
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < 2048 {
			return false
		}
		algorithm = jose.RS256
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return false
		}
		algorithm = jose.ES256
	default:
		return false
	}
	return key.Algorithm == "" || key.Algorithm == string(algorithm)
}
