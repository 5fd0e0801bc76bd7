package check_test

import (
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/internal/doctor/check"
)

// TestClock asks servers whose clocks are wrong.
func TestClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		skew  time.Duration
		state check.State
	}{{0, check.OK}, {3 * time.Second, check.OK}, {-20 * time.Second, check.Look}, {30 * time.Second, check.Look}, {-2 * time.Minute, check.Fix}, {time.Hour, check.Fix}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))
			http.Redirect(w, &http.Request{}, "http://192.0.2.1/", http.StatusFound) // that is never followed
		}))
		defer server.Close()
		h := newHost(t)
		inPolicy("STS", server.URL)(t, h)
		named(t, h.check(t), want{c.state, "clock", server.URL[len("http://"):]}, want{check.OK, "STS", server.URL})
	}
}

// TestAuthority asks servers whose certificates no CA of the system vouches for.
func TestAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	server.StartTLS()
	defer server.Close()
	h := newHost(t)
	inPolicy("STS", server.URL)(t, h)
	inRunners("GITLAB", server.URL)(t, h)
	named(t, h.check(t), want{check.Fix, "STS", "certificate is not trusted"}, want{check.Fix, "GitLab", "certificate is not trusted"})

	h = newHost(t)
	h.write(t, "etc/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o644)
	inPolicy("endpoint = \"STS\"", "endpoint = \""+server.URL+"\"\nca_bundle = \"DIR/etc/ca.pem\"")(t, h)
	inRunners("url = \"GITLAB\"", "url = \""+server.URL+"\"\ntls-ca-file = \"DIR/etc/ca.pem\"")(t, h)
	findings := h.check(t)
	named(t, findings, want{check.OK, "STS", server.URL}, want{check.OK, "sts.ca_bundle", "ca.pem"})
	if check.Bad(findings) {
		t.Errorf("a CA that is named does not count:\n%s", text(findings))
	}
}

// TestSilence checks that a server which takes a request and says nothing costs 5 s
// and no more.
func TestSilence(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	address := "http://" + silent.Addr().String()
	h := newHost(t)
	h.policy = strings.NewReplacer(h.sts.URL(), address, h.gitlab.URL(), address).Replace(h.policy)
	h.runners = strings.ReplaceAll(h.runners, h.gitlab.URL(), address)
	begin := time.Now()
	findings := h.check(t)
	if took := time.Since(begin); took > 9*time.Second {
		t.Errorf("it took %v", took)
	}
	named(t, findings, want{check.Fix, "STS", "no answer in time"}, want{check.Fix, "GitLab", "no answer in time"}, want{check.Fix, "issuer's keys", ""})
}
