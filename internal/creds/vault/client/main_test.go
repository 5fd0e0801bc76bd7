package client_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
)

// idToken is the ID token of the tests, and vaultToken what a login gives.
const (
	idToken    = "eyJhbGciOi.eyJzdWIiOi.IDTOKENSECRET"
	vaultToken = "hvs.VAULTTOKENSECRET"
)

// answers are a hand-made Vault: what it answers to each path.
type answers map[string]http.HandlerFunc

// said is an answer of that status and text.
func said(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// refused is a refusal of Vault.
func refused(status int, text string) http.HandlerFunc {
	content, _ := json.Marshal(map[string][]string{"errors": {text}})
	return said(status, string(content))
}

// loggedIn is an answer to a login, with more fields.
func loggedIn(more string) http.HandlerFunc {
	return said(http.StatusOK, `{"auth":{"client_token":"`+vaultToken+`","accessor":"a","token_type":"service","lease_duration":3600`+more+`}}`)
}

// server is a running hand-made Vault, and what it was asked.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

// start starts a Vault with those answers beside a good login.
func start(t *testing.T, all answers, run func(http.Handler) *httptest.Server) *server {
	t.Helper()
	s := new(server)
	s.Server = run(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.asked = append(s.asked, strings.Join([]string{r.Method, r.URL.Path, r.Header.Get("X-Vault-Token"), r.Header.Get("X-Vault-Namespace"), string(body)}, " "))
		s.mu.Unlock()
		answer := all[strings.TrimPrefix(r.URL.Path, "/v1/")]
		switch {
		case answer != nil:
			answer(w, r)
		case r.URL.Path == "/v1/auth/jwt/login":
			loggedIn("")(w, r)
		default:
			refused(http.StatusForbidden, "permission denied")(w, r)
		}
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	return s
}

// calls returns what the server was asked.
func (s *server) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.asked...)
}

// order is an order, and what is held of it.
type order struct {
	terms vault.Terms
	job   creds.Order
	held  []creds.Handle
}

// from returns an order of reads at a server.
func from(url string, reads ...vault.Read) *order {
	return &order{terms: vault.Terms{Settings: vault.Settings{Address: url, AuthPath: "jwt", Role: "deploy", Reads: reads}}}
}

// token returns the ID token of a job.
func token() idtoken.Token {
	return idtoken.Token{Raw: mask.NewSecret(idToken), Claims: idtoken.Claims{
		Subject: "project_path:acme/deploy", Audience: idtoken.Audience{"https://vault.example"}, Issuer: "https://gitlab.example", Ref: "feature/x",
	}}
}

// issue gets the credential of an order.
func (o *order) issue(t *testing.T) (creds.Credential, error) {
	t.Helper()
	content, err := json.Marshal(o.terms)
	if err != nil {
		t.Fatal(err)
	}
	o.job.Name, o.job.Terms = "db", content
	if o.job.Hold == nil {
		o.job.Hold = func(h creds.Handle) error { o.held = append(o.held, h); return nil }
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, err := client.Provider{}.Issue(ctx, o.job, token())
	if err != nil {
		clean(t, err.Error())
	}
	return c, err
}

// clean checks that a text has no secret.
func clean(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, "SECRET") {
		t.Errorf("a secret is in %q", text)
	}
}

// environ returns the variables, files and secrets of a credential as texts.
func environ(c creds.Credential) (env, files, secrets map[string]string) {
	env, files, secrets = map[string]string{}, map[string]string{}, map[string]string{}
	for _, v := range c.Env {
		env[v.Name] = v.Value.Reveal()
	}
	for _, f := range c.Files {
		files[strings.Join(f.Variables, " ")] = f.Content.Reveal()
	}
	for _, s := range c.Secrets {
		secrets[s.Value.Reveal()] = s.Kind
	}
	return env, files, secrets
}

// bundle returns the certificate of a server as a CA bundle.
func bundle(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}
