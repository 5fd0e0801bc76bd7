package check_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/admin/check"
	"rolecall/internal/creds/vault"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// withVault adds a source of Vault to the host's last tenant, with more keys.
func (h *host) withVault(name, address, more string) {
	h.policy += fmt.Sprintf("[[tenant.source]]\nname = %q\nprovider = \"vault\"\naddress = %q\nrole = \"deploy\"\n%s", name, address, more)
	h.policy += fmt.Sprintf("[[tenant.source.read]]\npath = \"kv/x\"\nenv = { A_%s = \"{key}\" }\n", name)
}

// TestHealth: a Vault that answers may still serve no job. It is asked once, without a token, though
// two sources are of it. A source of another cloud at the same address is asked in its own way.
func TestHealth(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Method+" "+r.URL.Path+" "+r.Header.Get("X-Vault-Token"))
		mu.Unlock()
		status, body := 200, `{"initialized":true,"sealed":false}`
		switch name, _, _ := strings.Cut(r.URL.Path[1:], "/"); name {
		case "standby":
			status = 429
		case "sealed":
			status, body = 503, `{"initialized":true,"sealed":true}`
		case "page":
			status, body = 404, "<html>SECRET"
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	h := newHost(t)
	h.Providers = append(h.Providers, vault.Provider{})
	names := []string{"active", "standby", "sealed", "page"}
	for _, name := range names {
		h.withVault(name, server.URL+"/"+name, "")
	}
	h.withVault("again", server.URL+"/active", "namespace = \"team\"\n")
	h.withVault("odd", server.URL+"/active/token", "")
	h.policy += google + "token_url = \"" + server.URL + "/active/token\"\n" // of which any answer is fine
	findings := h.check(t)
	named(t, findings, want{check.OK, "sources", "/active answers that it can serve"}, want{check.OK, "sources", "/standby answers that it can serve"},
		want{check.Fix, "sources", "/sealed: Vault is sealed"}, want{check.Look, "sources", "/page: it does not answer as Vault does: HTTP status 404"}, want{check.OK, "clock", "/sealed"})
	if do := "unseal it: vault operator unseal -address=" + server.URL + "/sealed;"; !strings.Contains(text(findings), do) {
		t.Errorf("no %q in\n%s", do, text(findings))
	}
	slices.Sort(asked)
	if got, want := strings.Join(asked, "\n"), "GET /active/token/ \nGET /active/token/v1/sys/health \nGET /active/v1/sys/health \nGET /page/v1/sys/health \nGET /sealed/v1/sys/health \nGET /standby/v1/sys/health "; got != want {
		t.Errorf("asked\n%s", got)
	}
}

// TestRealHealth: a real Vault is asked over https, sealed and not, and by the bundle of its source alone.
func TestRealHealth(t *testing.T) {
	t.Parallel()
	runtime.LockOSThread() // Vault dies with the thread that has started it, and checks end threads
	defer runtime.UnlockOSThread()
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir(), TLS: true})
	kit.Must(t, err)
	t.Cleanup(v.Close)
	h := newHost(t)
	h.Providers = append(h.Providers, vault.Provider{})
	h.withVault("known", v.URL, fmt.Sprintf("ca_bundle = %q\n", v.CAFile))
	h.withVault("unknown", v.URL, "")
	untrusted := want{check.Fix, "sources", "its certificate is not trusted"}
	named(t, h.check(t), want{check.OK, "sources", v.URL + " answers that it can serve"}, untrusted, want{check.OK, "clock", v.URL})
	kit.Must(t, v.Seal(t.Context()))
	named(t, h.check(t), want{check.Fix, "sources", v.URL + ": Vault is sealed"}, untrusted)
	v.Stop()
	named(t, h.check(t), want{check.Fix, "sources", "3 tries: connection refused"})
}
