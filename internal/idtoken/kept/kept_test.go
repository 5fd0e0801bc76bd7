package kept_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/idtoken/jwks"
	"rolecall/internal/idtoken/kept"
	"rolecall/test/kit"
)

// TestFetched: the time is that of the newest keys that package jwks has fetched. Where there are
// none, or only what cannot be read, there is none.
func TestFetched(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if at := kept.Fetched(root); !at.IsZero() {
		t.Errorf("no keys were fetched at %v", at)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	kit.Must(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "a", Algorithm: "RS256", Use: "sig"}}})
	}))
	defer server.Close()
	dir, began := filepath.Join(root, "keys"), time.Now()
	kit.Must(t, os.Mkdir(dir, 0o700))
	kit.Must(t, os.WriteFile(filepath.Join(dir, "keys-0.json"), []byte("{"), 0o600))
	kit.Must(t, os.WriteFile(filepath.Join(dir, "keys-f.json"), []byte(`{"fetched":"2020-01-02T03:04:05Z"}`), 0o600))
	kit.Must(t, jwks.Source{Issuer: "https://gitlab.example.com", URL: server.URL, Dir: dir}.Refresh(t.Context()))
	if at := kept.Fetched(root); at.Before(began.Truncate(time.Second)) || at.After(time.Now()) {
		t.Errorf("keys were fetched at %v, and not at %v", at, began)
	}
}
