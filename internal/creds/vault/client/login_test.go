package client_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/fault"
)

// TestTokens: a token is taken in any form that a header can bear, and is held unless nobody can
// revoke it. OpenBao and old versions of Vault do not say of which type it is.
func TestTokens(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		token, more string
		refused     bool
		batch       bool
	}{
		"the shortest":      {"SECRET78", `"accessor":"a","token_type":"service"`, false, false},
		"too short":         {"SECRET7", `"accessor":"a"`, true, false},
		"the longest":       {strings.Repeat("SECRET78", 1024), `"accessor":"a"`, false, false},
		"too long":          {strings.Repeat("SECRET78", 1024) + "9", `"accessor":"a"`, true, false},
		"the last of ASCII": {"SECRET~~", `"accessor":"a"`, false, false},
		"beyond ASCII":      {"SECRET\u00e9", `"accessor":"a"`, true, false},
		"a DEL":             {"SECRET\u007f8", `"accessor":"a"`, true, false},
		"a blank":           {"SECRET 8", `"accessor":"a"`, true, false},
		"no type":           {vaultToken, `"accessor":"a"`, false, false},
		"no accessor":       {vaultToken, `"accessor":""`, false, true},
		"only a type":       {vaultToken, `"token_type":"service"`, false, false},
		"a batch token":     {vaultToken, `"token_type":"batch","accessor":"a"`, false, true},
		"a factor is known": {vaultToken, `"accessor":"a","mfa_requirement":{"mfa_request_id":"x"}`, false, false},
	} {
		text, _ := json.Marshal(test.token)
		s := start(t, answers{"auth/jwt/login": func(w http.ResponseWriter, r *http.Request) {
			if len(r.Header["X-Vault-Namespace"])+len(r.Header["X-Vault-Token"]) > 0 {
				t.Errorf("%s: asked with %v", name, r.Header)
			}
			said(http.StatusOK, `{"auth":{"client_token":`+string(text)+`,"lease_duration":60,`+test.more+`}}`)(w, r)
		}}, httptest.NewServer)
		o := from(s.URL)
		c, err := o.issue(t)
		if refused := fault.CodeOf(err) == fault.BadSource; refused != test.refused || !refused && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		held := !test.refused && !test.batch
		if held != (len(o.held) == 1) || held && !strings.Contains(o.held[0].Terms.Reveal(), test.token) || test.batch != (c.Facts.Get("batch") != "") {
			t.Errorf("%s: held %d, %v", name, len(o.held), c.Facts)
		}
	}
}

// TestBareToken: a token of a server without namespaces and with a usual authority comes with the address alone.
func TestBareToken(t *testing.T) {
	t.Parallel()
	s := start(t, nil, httptest.NewServer)
	o := from(s.URL)
	o.terms.Token = true
	c, err := o.issue(t)
	env, files, _ := environ(c)
	if diff := cmp.Diff(map[string]string{"VAULT_TOKEN": vaultToken, "VAULT_ADDR": s.URL}, env); diff != "" || err != nil || len(files) > 0 {
		t.Errorf("%v, %v\n%s", err, files, diff)
	}
}
