package vault_test

import (
	"testing"

	"rolecall/internal/creds/vault"
)

// TestJudge: what a server says of itself decides whether jobs can use it, and what to do can be pasted.
func TestJudge(t *testing.T) {
	t.Parallel()
	const fine, uninitialised, sealed = `{"initialized":true,"sealed":false,"standby":true}`, `{"initialized":false,"sealed":true}`, `{"initialized":true,"sealed":true}`
	const curl = "address of the source must be that of Vault itself; look by: curl https://v/x/v1/sys/health"
	s := vault.Settings{Address: "https://v/x/"}
	for _, test := range []struct {
		status         int
		body, what, do string
		fails          bool
	}{
		{200, fine, "", "", false},
		{429, fine, "", "", false},
		{473, fine, "", "", false},
		{472, fine, "it is a standby for disasters, which serves no job", "correct address of the source, or promote it", true},
		{501, uninitialised, "Vault is not initialised", "initialise it: vault operator init -address=https://v/x/", true},
		{503, sealed, "Vault is sealed", "unseal it: vault operator unseal -address=https://v/x/; where it unseals itself, its log says why it does not", true},
		{530, fine, "it answers with HTTP status 530", "look at the log of Vault", true},
		{503, "<html>SECRET", "it does not answer as Vault does: HTTP status 503", curl, true},
		{500, `{"errors":["SECRET"]}`, "it does not answer as Vault does: HTTP status 500", curl, true},
		{499, "", "it does not answer as Vault does: HTTP status 499", curl, false},
		{200, `{"initialized":true}`, "it does not answer as Vault does: HTTP status 200", curl, false},
		{200, `{"sealed":false}`, "it does not answer as Vault does: HTTP status 200", curl, false},
		{200, `{"initialized":true,"sealed":1}`, "it does not answer as Vault does: HTTP status 200", curl, false},
	} {
		if what, do, fails := s.Judge(test.status, []byte(test.body)); what != test.what || do != test.do || fails != test.fails {
			t.Errorf("%d %s: %q, %q, %v", test.status, test.body, what, do, fails)
		}
	}
	s = vault.Settings{Address: "https://[::1]:8200", CABundle: "/etc/a 'b'/ca.pem"}
	const want = `initialise it: vault operator init -address='https://[::1]:8200' -ca-cert='/etc/a '\''b'\''/ca.pem'`
	if _, do, _ := s.Judge(501, []byte(uninitialised)); do != want {
		t.Error(do)
	}
}
