package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds/server"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestBundle: the certificate of a server must be signed by the bundle alone, whatever the host
// trusts. Without a bundle what the host trusts counts.
func TestBundle(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	dir := t.TempDir()
	known, other := filepath.Join(dir, "known"), filepath.Join(dir, "other")
	kit.Must(t, os.WriteFile(known, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	kit.Must(t, os.WriteFile(other, selfSigned(t), 0o600))
	for _, test := range []struct{ host, bundle, want string }{
		{known, "", "<nil>"},
		{other, "", "1 try: its certificate is not trusted"},
		{other, known, "<nil>"},
		{known, other, "1 try: its certificate is not trusted"},
	} {
		if got := askAsChild(t, s.URL, "SSL_CERT_DIR=/none", "SSL_CERT_FILE="+test.host, childBundle+"="+test.bundle); !strings.Contains(got, test.want) {
			t.Errorf("%+v: %s", test, got)
		}
	}
	for _, bad := range []string{"", "no PEM"} {
		if _, err := server.New(s.URL, []byte(bad)); fault.CodeOf(err) != fault.BadSource || !strings.Contains(err.Error(), "has no certificate in PEM") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// selfSigned returns a certificate of nobody, in PEM.
func selfSigned(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	kit.Must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	kit.Must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}
