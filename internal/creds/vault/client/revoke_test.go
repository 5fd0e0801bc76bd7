package client_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/vault/client"
	"rolecall/internal/fault"
)

// TestRevoke: a token that was held is revoked at its server, in its namespace, and a token that
// is gone is as good.
func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer int
		text   string
		code   fault.Code // empty: it is revoked
		want   string
	}{
		"revoked":      {204, "", "", ""},
		"with a word":  {200, `{"warnings":[]}`, "", ""},
		"gone":         {403, `{"errors":["2 errors occurred: permission denied, invalid token SECRET"]}`, "", ""},
		"not allowed":  {403, `{"errors":["permission denied SECRET"]}`, fault.BadSource, "HTTP status 403; the policy default of Vault"},
		"batch":        {400, `{"errors":["batch tokens cannot be revoked"]}`, fault.BadSource, "HTTP status 400"},
		"another no":   {400, `{"errors":["invalid token"]}`, fault.BadSource, "HTTP status 400"},
		"a page":       {200, "<html>SECRET", fault.BadSource, "HTTP status 200"},
		"a page of no": {403, "<html>invalid token", fault.BadSource, "HTTP status 403"},
		"sealed":       {503, `{"errors":["Vault is sealed"]}`, fault.NoSource, "1 try: Vault is sealed; somebody must unseal it"},
		"down":         {503, "SECRET", fault.NoSource, "3 tries: it answers with HTTP status 503"},
		"broken":       {500, "SECRET", fault.NoSource, "1 try: it answers with HTTP status 500"},
		"a redirect":   {307, "", fault.BadSource, "HTTP status 307"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, answers{"auth/token/revoke-self": said(test.answer, test.text)}, httptest.NewTLSServer)
			o := from(s.URL)
			o.terms.Token, o.terms.Namespace, o.terms.CA = true, "team", bundle(s.Server)
			if _, err := o.issue(t); err != nil {
				t.Fatal(err)
			}
			err := client.Provider{}.Revoke(t.Context(), []byte(o.held[0].Terms.Reveal()))
			if test.code == "" && err != nil || test.code != "" && (fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want %s %q", err, test.code, test.want)
			}
			if err != nil {
				clean(t, err.Error())
				if test.code == fault.NoSource && !strings.HasPrefix(err.Error(), "not revoked: the server ") {
					t.Error(err)
				}
			}
			if diff := cmp.Diff("POST /v1/auth/token/revoke-self "+vaultToken+" team ", s.calls()[1]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestRevokeNothing: what is no Handle revokes nothing, and a server that is away is told.
func TestRevokeNothing(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "{", "{}", `{"address":"https://127.0.0.1:1"}`, `{"address":"http://127.0.0.1:1","namespace":1,"token":"SECRETSECRET"}`} {
		if err := (client.Provider{}).Revoke(t.Context(), []byte(bad)); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	err := client.Provider{}.Revoke(t.Context(), []byte(`{"address":"http://127.0.0.1:1","token":"SECRETSECRET"}`))
	if fault.CodeOf(err) != fault.NoSource || !strings.HasPrefix(err.Error(), "not revoked: the server 127.0.0.1:1, 3 tries: connection refused") {
		t.Error(err)
	}
	if err := (client.Provider{}).Revoke(t.Context(), []byte(`{"address":"x","token":"SECRETSECRET"}`)); fault.CodeOf(err) != fault.BadSource {
		t.Error(err)
	}
}
