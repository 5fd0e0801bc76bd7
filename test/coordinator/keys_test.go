package coordinator_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"rolecall/test/kit"

	"github.com/go-jose/go-jose/v4"
)

// TestRotateKey: tokens are signed by the new key, which alone is published.
func TestRotateKey(t *testing.T) {
	server := start(t)
	claims := map[string]any{"sub": "x"}
	old := server.SignToken(claims)
	for algorithm, rotate := range map[jose.SignatureAlgorithm]func(){jose.RS256: server.RotateKey, jose.ES256: server.RotateToECKey} {
		rotate()
		var keys jose.JSONWebKeySet
		body := call(t, question{url: server.URL() + "/oauth/discovery/keys"}).body
		kit.Must(t, json.Unmarshal(body, &keys))
		allowed := []jose.SignatureAlgorithm{jose.RS256, jose.ES256}
		signed, err := jose.ParseSignedCompact(server.SignToken(claims), allowed)
		kit.Must(t, err)
		if _, err := signed.Verify(keys); err != nil || signed.Signatures[0].Header.Algorithm != string(algorithm) {
			t.Errorf("%s: a new token: %v", algorithm, err)
		}
		if signed, err = jose.ParseSignedCompact(old, allowed); err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(keys); err == nil {
			t.Errorf("%s: the old key is still published", algorithm)
		}
	}
}

func TestFailKeys(t *testing.T) {
	server := start(t)
	for i, status := range []int{http.StatusBadGateway, http.StatusNotFound, 0} {
		server.FailKeys(status)
		want := max(status, http.StatusOK)
		if got := call(t, question{url: server.URL() + "/oauth/discovery/keys"}).status; got != want || server.KeyRequests() != i+1 {
			t.Errorf("status %d, want %d, after %d requests", got, want, server.KeyRequests())
		}
	}
}
