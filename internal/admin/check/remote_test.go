package check_test

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admin/check"
)

// google begins a source of Google Cloud.
const google = "[[tenant.source]]\nname = \"google\"\nprovider = \"gcp\"\n" +
	"workload_identity_provider = \"projects/1/locations/global/workloadIdentityPools/pool/providers/prov\"\n"

// TestRemote: each server of a source is asked once, and its clock counts; whatever it answers is
// fine, and why it does not answer is told.
func TestRemote(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked[r.URL.Path]++
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(late.Close)
	h := newHost(t)
	one := google + "service_account = \"a@p.iam.example\"\ntoken_url = \"" + late.URL + "/v1/token\"\niam_url = \"http://127.0.0.1:1\"\n"
	h.policy += one + "[[tenant]]\nname = \"gamma\"\naudience = \"https://x.example\"\nprojects = [\"acme/x\"]\n" + one
	findings := h.check(t)
	named(t, findings, want{check.OK, "sources", late.URL + "/v1/token answers"}, want{check.Fix, "clock", "this host is +360"},
		want{check.Fix, "sources", "http://127.0.0.1:1: no credentials: the server 127.0.0.1:1, 3 tries: connection refused"})
	if got := text(findings); !strings.Contains(got, "3 tries: connection refused | look at the server, and at the network") {
		t.Errorf("no advice of prepare in\n%s", got)
	}
	if asked["/v1/token/"] != 1 || len(asked) != 1 {
		t.Errorf("asked %v", asked)
	}
}

// TestRemoteAuthority: the authority of a server is that of the source's bundle, as in prepare.
func TestRemoteAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	server.StartTLS()
	t.Cleanup(server.Close)
	source := google + "token_url = \"" + server.URL + "/token\"\n"
	for bundle, want := range map[string]want{
		"":                               {check.Fix, "sources", "certificate is not trusted"},
		"ca_bundle = \"DIR/etc/ca.pem\"": {check.OK, "sources", server.URL},
		"ca_bundle = \"DIR/etc/none\"":   {check.Fix, "sources", "no such file"},
		"ca_bundle = \"DIR/etc/empty\"":  {check.Fix, "sources", "no certificate in PEM"},
	} {
		h := newHost(t)
		h.write(t, "etc/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o644)
		h.write(t, "etc/empty", "", 0o644)
		h.policy += source + h.expand(bundle) + "\n"
		named(t, h.check(t), want)
	}
}
