package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/fault"
	"rolecall/internal/message"
)

// TestSkew: where a clock may be wrong it is said how far it is from Vault's, if that is known and matters.
func TestSkew(t *testing.T) {
	t.Parallel()
	for late, want := range map[time.Duration]string{time.Hour: "+36", -time.Hour: "-3", 0: "", -time.Nanosecond: ""} {
		s := start(t, answers{"auth/jwt/login": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-late).UTC().Format(http.TimeFormat))
			if late == -time.Nanosecond {
				w.Header().Set("Date", "yesterday")
			}
			refused(http.StatusBadRequest, "token is expired")(w, r)
		}}, httptest.NewServer)
		_, err := from(s.URL, one).issue(t)
		text := message.Case{}.Error(err)
		if fault.CodeOf(err) != fault.ForeignToken || (want == "") == strings.Contains(text, "this host is") || !strings.Contains(text, want) {
			t.Errorf("%v:\n%s", late, text)
		}
	}
}

// TestFieldNames: of the fields of an answer eight are named, those that look like names.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 24)
	for fields, want := range map[string]string{
		`"b":1,"a_-9Z":2`:                                       "fields a_-9Z, b\n",
		`"":1,"b":1,"a.b":1,"aé":1,"a\nb":1`:                    "fields b\n",
		`"` + long + `":1,"` + long + `SECRET":1`:               "fields " + long + "\n",
		`"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1`: "fields 1, 2, 3, 4, 5, 6, 7, 8\n",
		`".":1`: "",
	} {
		s := start(t, answers{"database/creds/deploy": said(http.StatusOK, `{"data":{`+fields+`}}`)}, httptest.NewServer)
		_, err := from(s.URL, one).issue(t)
		got := ""
		for _, row := range fault.Rows(err) {
			if row.Label == "fields" {
				got = fmt.Sprintf("%s %s\n", row.Label, row.Text)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", fields, got, want)
		}
	}
}

// TestPastable: commands of a fix can be pasted, whatever the path is.
func TestPastable(t *testing.T) {
	t.Parallel()
	s := start(t, answers{"kv/a b": refused(404, ""), "kv/~a": refused(404, ""), "kv/ab": refused(404, "")}, httptest.NewServer)
	for path, want := range map[string]string{"kv/a b": "vault read 'kv/a b'", "kv/~a": "vault read 'kv/~a'", "kv/ab": "vault read kv/ab"} {
		_, err := from(s.URL, vault.Read{Path: path, Env: one.Env}).issue(t)
		checkError(t, s, err, fault.BadSource, []string{want})
	}
}

// TestNobodysRole: an error about a token that is revoked names no role, since the Handle has none.
func TestNobodysRole(t *testing.T) {
	t.Parallel()
	s := start(t, answers{"auth/token/revoke-self": refused(503, "Vault is sealed")}, httptest.NewServer)
	err := client.Provider{}.Revoke(t.Context(), []byte(`{"address":"`+s.URL+`","namespace":"team","token":"SECRETSECRET"}`))
	labels := map[string]string{}
	for _, row := range fault.Rows(err) {
		labels[row.Label] = row.Text
	}
	if _, has := labels["role"]; has || labels["namespace"] != "team" || labels["server"] != s.Listener.Addr().String() {
		t.Errorf("%v", labels)
	}
}

// TestClaims: a refusal shows the claims that a role usually looks at, and no line for one that is not known.
func TestClaims(t *testing.T) {
	t.Parallel()
	for said, last := range map[string]string{`claim "SECRET" is missing`: "", `claim "environment" is missing`: "\nenvironment  "} {
		s := start(t, answers{"auth/jwt/login": refused(http.StatusBadRequest, said)}, httptest.NewServer)
		_, err := from(s.URL, one).issue(t)
		got := ""
		for _, row := range fault.Rows(err) {
			if row.Label == "this job" {
				got = row.Text
			}
		}
		if want := token().Claims.Told() + last; got != want {
			t.Errorf("%s: %q, want %q", said, got, want)
		}
	}
}

// TestWords: each word by which Vault says why it refuses a login is understood alone.
func TestWords(t *testing.T) {
	t.Parallel()
	for says, want := range map[string]string{
		"could not be found": "no such role", "missing role": "no such role", "OIDC role_type": "no such role",
		"Token not yet valid": "one of the future", "issued in the future": "one of the future",
		"fetching keys": "could not read the keys", "OIDC discovery": "could not read the keys",
		"error configuring token validator": "could not read the keys", "could not load configuration": "could not read the keys",
		"signature": "know the keys", "malformed": "know the keys", "unsigned": "know the keys", "algorithm": "know the keys",
	} {
		s := start(t, answers{"auth/jwt/login": refused(http.StatusBadRequest, says)}, httptest.NewServer)
		if _, err := from(s.URL, one).issue(t); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", says, err, want)
		}
	}
}
