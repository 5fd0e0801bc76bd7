package broker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/kit"
)

// certify writes a new certificate for 127.0.0.1, which lasts that long, and its key.
func (w *world) certify(serial int64, lasts time.Duration) {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	kit.Must(w.t, err)
	one := x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lasts), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &one, &one, key.Public(), key)
	kit.Must(w.t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	kit.Must(w.t, err)
	kit.Must(w.t, os.WriteFile(w.file("cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	kit.Must(w.t, os.WriteFile(w.file("key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// file returns the path of a file of the world.
func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

// startTLS starts a broker that answers by https, and by http too.
func (w *world) startTLS() *world {
	return w.start(tenants, "--listen", "https://127.0.0.1:0", "--certificate", w.file("cert.pem"), "--key", w.file("key.pem"))
}

// askTLS asks by https, and returns the status and the serial number of the certificate.
func (w *world) askTLS(path, token string) (status int, serial int64) {
	w.t.Helper()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.Also[0]+path, nil)
	kit.Must(w.t, err)
	request.Header.Set("Authorization", token)
	response, err := client.Do(request)
	kit.Must(w.t, err)
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.TLS.PeerCertificates[0].SerialNumber.Int64()
}

// TestTLS: https has the certificate in force, also a new one; a pair that is none changes nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.certify(1, 90*24*time.Hour)
	w.startTLS()
	token := w.token(7, nil)
	w.settled("/v1/aws/alpha", token).keyOf(t) // by http
	if status, serial := w.askTLS("/v1/aws/alpha", token); status != 200 || serial != 1 {
		t.Errorf("%d, certificate %d", status, serial)
	}
	if n := len(w.sts.Requests()); n != 1 {
		t.Errorf("STS was asked %d times", n)
	}
	old, err := os.ReadFile(w.file("key.pem"))
	kit.Must(t, err)
	w.certify(2, 24*time.Hour)
	if strings.Contains(w.log.String(), "expires at") {
		t.Errorf("a warning without a reason:\n%s", w.log.String())
	}
	w.Reload()
	if _, serial := w.askTLS("/v1/aws/alpha", token); serial != 2 {
		t.Errorf("certificate %d", serial)
	}
	if !strings.Contains(w.log.String(), "the certificate "+w.file("cert.pem")+" expires at ") {
		t.Errorf("no warning:\n%s", w.log.String())
	}
	kit.Must(t, os.WriteFile(w.file("key.pem"), old, 0o600))
	w.Reload()
	if _, serial := w.askTLS("/v1/aws/alpha", token); serial != 2 || !strings.Contains(w.log.String(), "are not a pair") {
		t.Errorf("certificate %d:\n%s", serial, w.log.String())
	}
	if expires := w.metric("rolecall_broker_certificate_expiration_timestamp_seconds"); expires < float64(time.Now().Unix()) || expires > float64(time.Now().Add(25*time.Hour).Unix()) {
		t.Errorf("the metric says %v", expires)
	}
	connection, err := tls.Dial("tcp", strings.TrimPrefix(w.Also[0], "https://"), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11})
	if err == nil {
		_ = connection.Close()
		t.Error("TLS 1.1 is spoken")
	}
}

// TestTLSEvery: --reload-every sees a new certificate although the policy file is the same.
func TestTLSEvery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.certify(1, 90*24*time.Hour)
	w.start(tenants, "--listen", "https://127.0.0.1:0", "--certificate", w.file("cert.pem"), "--key", w.file("key.pem"), "--reload-every", "1s")
	w.certify(2, 90*24*time.Hour)
	kit.Await(t, "the new certificate", func() bool {
		_, serial := w.askTLS("/v1/aws/alpha", "x")
		return serial == 2
	})
}

// TestExpiredCertificate: a certificate that has expired is told, and the broker is not ready.
func TestExpiredCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.certify(1, -time.Minute)
	w.startTLS()
	if r := w.status("/readyz"); r.status != 503 || !strings.Contains(r.body, "the certificate has expired") {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
	if r := w.status("/healthz"); r.status != 200 {
		t.Errorf("/healthz: %d", r.status)
	}
	if !strings.Contains(w.log.String(), "expires at ") {
		t.Errorf("no warning:\n%s", w.log.String())
	}
	w.certify(2, time.Hour)
	w.Reload()
	if r := w.status("/readyz"); r.status != 200 {
		t.Errorf("/readyz: %d %s", r.status, r.body)
	}
}
