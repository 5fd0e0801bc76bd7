package idtoken_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"rolecall/test/kit"

	"github.com/go-jose/go-jose/v4"
)

// rsaKey is shared: it takes long to make.
var rsaKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// sign returns a token with payload and a true signature.
func sign(t testing.TB, algorithm jose.SignatureAlgorithm, payload string) string {
	t.Helper()
	key := any([]byte(strings.Repeat("k", 64)))
	var err error
	switch {
	case strings.HasPrefix(string(algorithm), "RS"), strings.HasPrefix(string(algorithm), "PS"):
		key, err = rsaKey()
	case algorithm == jose.ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case algorithm == jose.ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	kit.Must(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
	kit.Must(t, err)
	signed, err := signer.Sign([]byte(payload))
	kit.Must(t, err)
	token, err := signed.CompactSerialize()
	kit.Must(t, err)
	return token
}

// unsigned returns a token with this header and payload and a false signature.
func unsigned(header, payload string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(header)) + "." + encode([]byte(payload)) + "." + encode([]byte("no signature"))
}

// algorithm returns the algorithm that a token's header names.
func algorithm(token string) string {
	head, _, _ := strings.Cut(token, ".")
	decoded, _ := base64.RawURLEncoding.DecodeString(head)
	var header struct {
		Alg string `json:"alg"`
	}
	_ = json.Unmarshal(decoded, &header)
	return header.Alg
}
