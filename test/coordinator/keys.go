package coordinator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// signingKey is the key of a server's ID tokens, which tests can replace, and the
// number of requests for it.
type signingKey struct {
	mu       sync.Mutex
	public   jose.JSONWebKey
	signer   jose.Signer
	requests int
	failure  int // status of the answers; 0: the keys
}

// newSigningKey returns a new key for an algorithm.
func newSigningKey(algorithm jose.SignatureAlgorithm) (*signingKey, error) {
	key := new(signingKey)
	return key, key.rotate(algorithm)
}

// rotate replaces the key by a new one.
func (k *signingKey) rotate(algorithm jose.SignatureAlgorithm) error {
	private, err := newPrivateKey(algorithm)
	if err != nil {
		return err
	}
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(algorithm), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return err
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	signer, err := jose.NewSigner(
		jose.SigningKey{
			Algorithm: algorithm,
			Key:       jose.JSONWebKey{Key: private, KeyID: public.KeyID},
		},
		new(jose.SignerOptions).WithType("JWT"),
	)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.public, k.signer = public, signer
	return nil
}

// newPrivateKey returns a new private key for an algorithm.
func newPrivateKey(algorithm jose.SignatureAlgorithm) (crypto.Signer, error) {
	if algorithm == jose.ES256 {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}

// RotateKey makes a new RSA key. It signs later tokens, and is the only key that the
// server publishes. It panics if no key can be made.
func (s *Server) RotateKey() { s.rotate(jose.RS256) }

// RotateToECKey is RotateKey with a key of the curve P-256, which signs with ES256.
func (s *Server) RotateToECKey() { s.rotate(jose.ES256) }

// rotate replaces the server's key. It panics if no key can be made.
func (s *Server) rotate(algorithm jose.SignatureAlgorithm) {
	if err := s.key.rotate(algorithm); err != nil {
		panic(fmt.Sprintf("a new signing key: %v", err))
	}
}

// FailKeys makes all later requests for the keys fail with an HTTP status. 0 ends that.
func (s *Server) FailKeys(status int) {
	s.key.mu.Lock()
	defer s.key.mu.Unlock()
	s.key.failure = status
}

// KeyRequests returns the number of requests for the keys.
func (s *Server) KeyRequests() int {
	s.key.mu.Lock()
	defer s.key.mu.Unlock()
	return s.key.requests
}

// SignToken returns a token with these claims, signed with the server's key. It panics
// if claims cannot be JSON: then the test is wrong.
func (s *Server) SignToken(claims map[string]any) string {
	payload, err := json.Marshal(claims)
	if err != nil {
		panic(fmt.Sprintf("claims: %v", err))
	}
	s.key.mu.Lock()
	signer := s.key.signer
	s.key.mu.Unlock()
	signed, err := signer.Sign(payload)
	if err != nil {
		panic(fmt.Sprintf("signing claims: %v", err))
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(fmt.Sprintf("serializing a token: %v", err))
	}
	return token
}

// serveKeys answers with the public key as a JSON Web Key Set, or fails as FailKeys says.
func (s *Server) serveKeys(w http.ResponseWriter, _ *http.Request) {
	s.key.mu.Lock()
	s.key.requests++
	failure, public := s.key.failure, s.key.public
	s.key.mu.Unlock()
	if failure != 0 {
		writeError(w, failure)
		return
	}
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
}
