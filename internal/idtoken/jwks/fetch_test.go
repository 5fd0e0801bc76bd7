package jwks_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// issuer is a server whose answers a test chooses.
type issuer struct {
	*httptest.Server
	discovery, keys http.HandlerFunc
	requests        atomic.Int32 // for the keys
}

// newIssuer returns an issuer that publishes the attacker's key, as "k".
func newIssuer(t *testing.T, serve func(http.Handler) *httptest.Server) *issuer {
	t.Helper()
	i := new(issuer)
	i.discovery = func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	}
	set := keySet(t, jose.JSONWebKey{Key: attacker().Public(), KeyID: "k"})
	i.keys = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) { i.discovery(w, r) })
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		i.requests.Add(1)
		i.keys(w, r)
	})
	i.Server = serve(mux)
	i.Config.ErrorLog = nil
	t.Cleanup(i.Close)
	return i
}

// token returns a token that the issuer has signed.
func token(t testing.TB, iss string) string {
	t.Helper()
	return forge(t, jose.SigningKey{Algorithm: jose.RS256, Key: attacker()}, withKid("k"), claims(iss, nil))
}

// leak is a text of answers that no error may hold.
const leak = "leaked-body-of-the-server"

// TestBadAnswers: another answer than a key set brings no key, and the error does not
// quote it.
func TestBadAnswers(t *testing.T) {
	t.Parallel()
	body := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = fmt.Fprint(w, text)
		}
	}
	infrastructure := fault.Infrastructure
	for name, test := range map[string]struct {
		answer   http.HandlerFunc
		requests int32
		want     string
	}{
		"404":            {body(404, leak), 1, "HTTP status 404"},
		"403":            {body(403, leak), 1, "HTTP status 403"},
		"204":            {body(204, ""), 1, "HTTP status 204"},
		"429":            {body(429, leak), 2, "HTTP status 429"},
		"500":            {body(500, leak), 2, "HTTP status 500"},
		"HTML":           {body(200, "<html>"+leak), 1, "has no JSON Web Key Set"},
		"empty":          {body(200, ""), 1, "has no JSON Web Key Set"},
		"another JSON":   {body(200, `["`+leak+`"]`), 1, "has no JSON Web Key Set"},
		"no keys":        {body(200, `{"keys":[]}`), 1, "has no key that may sign ID tokens"},
		"5 MB":           {body(200, `{"keys":[],"x":"`+strings.Repeat("x", 5<<20)+`"}`), 1, "the answer is longer than 1048576 bytes"},
		"5 MB of spaces": {body(200, strings.Repeat(" ", 5<<20)), 1, "the answer is longer than 1048576 bytes"},
		"no HTTP": {func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = connection.Write([]byte(leak + "\r\n\r\n"))
				_ = connection.Close()
			}
		}, 2, "the request did not go through"},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(leak))
		}, 2, "the request did not go through"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := newIssuer(t, httptest.NewServer)
			i.keys = test.answer
			s := source(t, i.URL)
			host := strings.TrimPrefix(i.URL, "http://")
			_, err := s.Verify(t.Context(), token(t, i.URL))
			if err == nil || fault.SideOf(err) != infrastructure || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), host) {
				t.Errorf("error %v, want %s of infrastructure", err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), leak) {
				t.Errorf("the error holds the server's answer: %v", err)
			}
			if i.requests.Load() != test.requests {
				t.Errorf("%d requests, want %d", i.requests.Load(), test.requests)
			}
		})
	}
}

// TestRedirect: redirects are not followed.
func TestRedirect(t *testing.T) {
	t.Parallel()
	elsewhere := newIssuer(t, httptest.NewServer)
	for _, status := range []int{301, 302, 307, 308} {
		i := newIssuer(t, httptest.NewServer)
		i.keys = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL+"/keys", status) }
		refused(t, source(t, i.URL), token(t, i.URL), fault.Infrastructure, fmt.Sprintf("HTTP status %d", status))
	}
	if elsewhere.requests.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// TestTLS: a server's certificate must be trusted by the system or by the CA bundle.
func TestTLS(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, httptest.NewTLSServer)
	s := source(t, i.URL)
	refused(t, s, token(t, i.URL), fault.Infrastructure, "its certificate is not trusted")
	s = source(t, i.URL)
	s.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	verified(t, s, token(t, i.URL))
	s = source(t, i.URL)
	s.CABundle = []byte("no PEM")
	refused(t, s, token(t, i.URL), fault.Admin, "the CA bundle for the issuer's keys has no certificate")
}

// TestNoSystemAuthorities: where those of the system cannot be read, the CA bundle is enough.
func TestNoSystemAuthorities(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil, "SSL_CERT_FILE=/", "SSL_CERT_DIR=/nonexistent") {
		return
	}
	if _, err := x509.SystemCertPool(); err == nil {
		t.Fatal("they can be read")
	}
	i := newIssuer(t, httptest.NewTLSServer)
	s := source(t, i.URL)
	refused(t, s, token(t, i.URL), fault.Infrastructure, "its certificate is not trusted")
	s = source(t, i.URL)
	s.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	verified(t, s, token(t, i.URL))
}

// TestSystemAuthorities: those of the system are trusted without a CA bundle.
func TestSystemAuthorities(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil, "SSL_CERT_FILE="+filepath.Join(t.TempDir(), "ca.pem"), "SSL_CERT_DIR=/nonexistent") {
		return
	}
	i := newIssuer(t, httptest.NewTLSServer)
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw})
	kit.Must(t, os.WriteFile(os.Getenv("SSL_CERT_FILE"), content, 0o600))
	verified(t, source(t, i.URL), token(t, i.URL))
}

// TestDeadEndpoint: if no keys are kept, a server that does not answer is
// infrastructure's error.
func TestDeadEndpoint(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	kit.Must(t, err)
	host := listener.Addr().String()
	kit.Must(t, listener.Close())
	s := source(t, "http://"+host)
	refused(t, s, token(t, s.Issuer), fault.Infrastructure, "no keys of http://"+host+": "+host+": connection refused")
	s = source(t, "https://gitlab.invalid")
	refused(t, s, token(t, s.Issuer), fault.Infrastructure, "gitlab.invalid: ")
	if _, err := s.Verify(t.Context(), token(t, s.Issuer)); fault.CodeOf(err) != fault.NoKeys {
		t.Errorf("the code is %s: %v", fault.CodeOf(err), err)
	}
}

// TestSlowServer: a slow server delays a job for at most two attempts, and not after
// the context's end.
func TestSlowServer(t *testing.T) {
	t.Parallel()
	i := newIssuer(t, httptest.NewServer)
	i.keys = func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = w.Write([]byte(" "))
			_ = http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := source(t, i.URL).Verify(ctx, token(t, i.URL))
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "no answer in time") || took > 2*time.Second {
		t.Errorf("error %v after %v", err, took)
	}
	if testing.Short() {
		t.Skip("an attempt takes 5 s")
	}
	began = time.Now()
	refused(t, source(t, i.URL), token(t, i.URL), fault.Infrastructure, "no answer in time")
	if took := time.Since(began); took < 9*time.Second || took > 15*time.Second {
		t.Errorf("took %v, want two attempts of 5 s", took)
	}
}
