package client_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rolecall/internal/creds/vault"
	"rolecall/internal/fault"
	"rolecall/internal/message"
	"rolecall/test/kit"
)

// one is a read of one field.
var one = vault.Read{Path: "database/creds/deploy", Env: []vault.Pair{{Name: "KEY", Template: "{key}"}}}

// TestLogins: why Vault does not let a job in decides who must act, and what is looked at. What
// Vault says is not printed.
func TestLogins(t *testing.T) {
	t.Parallel()
	const role, config = "vault read auth/jwt/role/deploy", "vault read auth/jwt/config"
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   fault.Code
		want   []string
	}{
		"audience":       {refused(400, "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience"), fault.SourceRejected, []string{"is not accepted by Vault", "bound_audiences", role, "aud  https://vault.example"}},
		"no audiences":   {refused(400, "audience claim found in JWT but no audiences bound to the role"), fault.SourceRejected, []string{"bound_audiences"}},
		"issuer":         {refused(400, "error validating token: invalid issuer (iss) claim"), fault.SourceRejected, []string{"bound_issuer", config}},
		"signature":      {refused(400, "error validating token: error verifying token signature: no known key successfully validated the token signature"), fault.SourceRejected, []string{"the keys of the token's issuer", config}},
		"malformed":      {refused(400, "error validating token: malformed jwt"), fault.SourceRejected, []string{config}},
		"a claim":        {refused(400, `error validating claims: claim "ref" does not match any associated bound claim values SECRET`), fault.SourceDenied, []string{"does not allow this job", "must allow this ref", "ref  feature/x", "bound_claims", role}},
		"a missing one":  {refused(400, `error validating claims: claim "environment" is missing`), fault.SourceDenied, []string{"must allow this environment", "environment  \n"}},
		"a group":        {refused(400, `"environment" claim not found in token`), fault.SourceDenied, []string{"must allow this environment"}},
		"the subject":    {refused(400, "error validating token: invalid subject (sub) claim"), fault.SourceDenied, []string{"must allow this sub"}},
		"another claim":  {refused(400, `claim "SECRET" not found in token`), fault.SourceDenied, []string{"the bound claims of the role must allow the job"}},
		"expired":        {refused(400, "error validating token: invalid expiration time (exp) claim: token is expired"), fault.ForeignToken, []string{"has expired, as Vault sees it", "run the job again"}},
		"not yet":        {refused(400, "error validating token: invalid not before (nbf) claim: token not yet valid"), fault.Clock, []string{"one of the future, as Vault sees it", "NTP"}},
		"no role":        {refused(400, `role "deploy" could not be found`), fault.BadSource, []string{"no such role for ID tokens"}},
		"a role of OIDC": {refused(400, "role with oidc role_type is not allowed"), fault.BadSource, []string{"role_type=jwt"}},
		"no keys":        {refused(400, "error validating token: error verifying token signature: fetching keys oidc: Get SECRET"), fault.NoSource, []string{"Vault could not read the keys", config}},
		"another reason": {refused(400, "SECRET"), fault.SourceRejected, []string{"look at the role and at the log of Vault"}},
		"no path":        {refused(403, "permission denied"), fault.SourceDenied, []string{"no login is allowed at the path", "vault auth list"}},
		"no handler":     {refused(404, "no handler for route SECRET"), fault.SourceDenied, []string{"vault auth list"}},
		"sealed":         {refused(503, "Vault is sealed"), fault.NoSource, []string{"1 try: Vault is sealed", "vault operator unseal"}},
		"down":           {said(503, "SECRET"), fault.NoSource, []string{"3 tries: it answers with HTTP status 503"}},
		"another sealed": {refused(500, "sealed SECRET"), fault.NoSource, []string{"1 try: it answers with HTTP status 500"}},
		"broken":         {refused(500, "SECRET"), fault.NoSource, []string{"1 try: it answers with HTTP status 500", "a database"}},
		"too many":       {refused(429, "SECRET"), fault.NoSource, []string{"3 tries: it answers with HTTP status 429"}},
		"not consistent": {refused(412, "SECRET"), fault.NoSource, []string{"3 tries: it answers with HTTP status 412"}},
		"standby":        {refused(473, "SECRET"), fault.NoSource, []string{"HTTP status 473"}},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://SECRET.example", http.StatusTemporaryRedirect)
		}, fault.BadSource, []string{"does not answer as Vault does", "HTTP status 307", "a redirect"}},
		"another status": {refused(405, "audience SECRET"), fault.BadSource, []string{"HTTP status 405"}},
		"a page":         {said(200, "<html>SECRET</html>"), fault.BadSource, []string{"its answer to the login is not that of Vault"}},
		"http for https": {said(400, "Client sent an HTTP request to an HTTPS server. SECRET"), fault.BadSource, []string{"HTTP status 400"}},
		"more than JSON": {said(200, `{"auth":{"client_token":"`+vaultToken+`","lease_duration":60}} {}`), fault.BadSource, []string{"is not that of Vault"}},
		"no auth":        {said(200, `{"data":{"SECRET":1}}`), fault.BadSource, []string{"has no token"}},
		"no token":       {said(200, `{"auth":{"lease_duration":60}}`), fault.BadSource, []string{"has no token"}},
		"a short token":  {said(200, `{"auth":{"client_token":"abc","lease_duration":60}}`), fault.BadSource, []string{"has no token"}},
		"an odd token":   {said(200, `{"auth":{"client_token":"SECRET\r\nX-Y: z","lease_duration":60}}`), fault.BadSource, []string{"has no token"}},
		"a long token":   {said(200, `{"auth":{"client_token":"`+strings.Repeat("SECRET", 2000)+`","lease_duration":60}}`), fault.BadSource, []string{"has no token"}},
		"a wrong time":   {said(200, `{"auth":{"client_token":"`+vaultToken+`","lease_duration":"SECRET"}}`), fault.BadSource, []string{"is not that of Vault"}},
		"no end":         {loggedIn(`,"lease_duration":0`), fault.BadSource, []string{"tokens that never end", "token_ttl"}},
		"a past end":     {loggedIn(`,"lease_duration":-5`), fault.BadSource, []string{"tokens that never end"}},
		"a second one":   {said(200, `{"auth":{"client_token":"","mfa_requirement":{"mfa_request_id":"SECRET"}}}`), fault.BadSource, []string{"a second factor"}},
		"2 MB":           {said(200, strings.Repeat("SECRET", 400_000)), fault.NoSource, []string{"its answer is larger than 1 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, answers{"auth/jwt/login": test.answer}, httptest.NewServer)
			_, err := from(s.URL, one).issue(t)
			checkError(t, s, err, test.code, test.want)
			if test.code.Side() == fault.Account && !strings.Contains(message.Case{}.Error(err), "the owner of Vault at "+s.Listener.Addr().String()) {
				t.Errorf("it is not said that the owner of Vault must act: %v", fault.Rows(err))
			}
		})
	}
}

// checkError checks the code of an error, and that the job log has some texts about it, where it was
// and of which role.
func checkError(t *testing.T, s *server, err error, code fault.Code, want []string) {
	t.Helper()
	if err == nil || fault.CodeOf(err) != code {
		t.Fatalf("%v has the code %s, want %s", err, fault.CodeOf(err), code)
	}
	text := message.Case{}.Error(err)
	clean(t, text)
	flat := strings.Join(strings.Fields(text), " ")
	for _, part := range append(want, "role deploy of auth/jwt", s.Listener.Addr().String()) {
		if !strings.Contains(text, part) && !strings.Contains(flat, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

// TestReads: a path that gives nothing is named, with the policy that it needs, and what does not
// fit the templates with its field.
func TestReads(t *testing.T) {
	t.Parallel()
	path := "path \"database/creds/deploy\""
	data := func(fields string) http.HandlerFunc { return said(200, `{"data":{`+fields+`}}`) }
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   fault.Code
		want   []string
	}{
		"denied":          {refused(403, "1 error occurred: permission denied SECRET"), fault.SourceDenied, []string{"do not allow the read", path + " { capabilities = [\"read\"] }", "the owner of Vault at"}},
		"nothing":         {refused(404, ""), fault.BadSource, []string{"nothing at a path of the source in Vault", "vault read database/creds/deploy"}},
		"no data/":        {said(404, `{"warnings":["Invalid path for a versioned K/V secrets engine. SECRET"]}`), fault.BadSource, []string{"needs data/ after the mount"}},
		"unknown role":    {refused(400, "unknown role: SECRET"), fault.BadSource, []string{"nothing at a path"}},
		"not to read":     {refused(405, "unsupported operation"), fault.BadSource, []string{"nothing at a path"}},
		"database down":   {refused(500, "dial tcp SECRET"), fault.NoSource, []string{"such as a database"}},
		"a page":          {said(200, "<html>SECRET"), fault.BadSource, []string{"its answer to a read is not that of Vault"}},
		"a redirect":      {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/SECRET", http.StatusFound) }, fault.BadSource, []string{"HTTP status 302"}},
		"cut short":       {said(200, `{"data":{"key":"SECRET`), fault.BadSource, []string{"is not that of Vault"}},
		"no content":      {said(204, ""), fault.BadSource, []string{"HTTP status 204"}},
		"no data":         {said(200, `{}`), fault.BadSource, []string{"does not fit the source", `field "key": the answer has no such field`}},
		"other fields":    {data(`"username":"SECRET","Key":"SECRET","a b":1,"` + idToken + `":1`), fault.BadSource, []string{"has no such field", "fields Key, username"}},
		"an object":       {data(`"key":{"a":"SECRET"}`), fault.BadSource, []string{"write {key|json} for it as JSON"}},
		"null":            {data(`"key":null`), fault.BadSource, []string{`field "key": it is empty`}},
		"empty":           {data(`"key":""`), fault.BadSource, []string{`field "key": it is empty`}},
		"two lines":       {data(`"key":"SECRET\nSECRET"`), fault.BadSource, []string{"the value of KEY has a line break"}},
		"a NUL":           {data(`"key":"SECRET\u0000SECRET"`), fault.BadSource, []string{"the value of KEY has a control character"}},
		"long":            {data(`"key":"` + strings.Repeat("SECRET", 3000) + `"`), fault.BadSource, []string{"the value of KEY has 18000 bytes"}},
		"short":           {data(`"key":"abcdefg"`), fault.BadSource, []string{"it has 7 bytes, and a secret of less than 8 cannot be masked", "put KEY into plain"}},
		"a number":        {data(`"key":5432`), fault.BadSource, []string{"it has 4 bytes"}},
		"a deleted one":   {data(`"data":null,"metadata":{"version":1}`), fault.BadSource, []string{"has no such field", "fields data, metadata"}},
		"a lease of 0 s":  {said(200, `{"lease_id":"x","lease_duration":0,"data":{"key":"SECRETSECRET"}}`), fault.BadSource, []string{"ends at once", "default_ttl"}},
		"a past lease":    {said(200, `{"lease_id":"x","lease_duration":-1,"data":{"key":"SECRETSECRET"}}`), fault.BadSource, []string{"ends at once"}},
		"a wrong time":    {said(200, `{"lease_id":"x","lease_duration":1e99,"data":{"key":"SECRETSECRET"}}`), fault.BadSource, []string{"is not that of Vault"}},
		"data is a list":  {said(200, `{"data":["SECRET"]}`), fault.BadSource, []string{"is not that of Vault"}},
		"away meantime":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fault.NoSource, []string{"3 tries: ", "look at the server"}},
		"sealed meantime": {refused(503, "Vault is sealed"), fault.NoSource, []string{"Vault is sealed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, answers{"database/creds/deploy": test.answer}, httptest.NewServer)
			o := from(s.URL, one)
			_, err := o.issue(t)
			checkError(t, s, err, test.code, append(test.want, `path "database/creds/deploy"`))
			if len(o.held) != 1 {
				t.Error("the token is not held")
			}
		})
	}
}

// TestShortParts: a part of a secret that is too short to be masked is named.
func TestShortParts(t *testing.T) {
	t.Parallel()
	s := start(t, answers{"kv/app": said(200, `{"data":{"user":"app","password":"SECRETSECRET"}}`)}, httptest.NewServer)
	read := vault.Read{Path: "kv/app", Env: []vault.Pair{{Name: "URL", Template: "https://{user}:{password}@x"}}}
	_, err := from(s.URL, read).issue(t)
	checkError(t, s, err, fault.BadSource, []string{`field "user": it has 3 bytes`, "put user into plain"})
	read.Plain = []string{"user"}
	if _, err := from(s.URL, read).issue(t); err != nil {
		t.Error(err)
	}
	read.Plain, read.Env = []string{"PGUSER"}, append(read.Env, vault.Pair{Name: "PGUSER", Template: "{user}"})
	c, err := from(s.URL, read).issue(t)
	if _, _, secrets := environ(c); err != nil || len(secrets) != 2 || secrets["app"] != "" {
		t.Errorf("%v, %v", err, secrets)
	}
	read.Plain = []string{"URL", "PGUSER"}
	read.Env = append(read.Env, vault.Pair{Name: "PGPASSWORD", Template: "{password}"})
	c, err = from(s.URL, read).issue(t)
	if _, _, secrets := environ(c); err != nil || len(secrets) != 1 || secrets["SECRETSECRET"] != "value of PGPASSWORD" {
		t.Errorf("a field that a plain variable has too: %v, %v", err, secrets)
	}
	s = start(t, answers{"kv/app": said(200, `{"data":{"key":"`+strings.Repeat("x", 64<<10)+`"}}`)}, httptest.NewServer)
	_, err = from(s.URL, vault.Read{Path: "kv/app", Files: []vault.Pair{{Name: "KEY", Template: "{key}-"}}}).issue(t)
	checkError(t, s, err, fault.BadSource, []string{"the file of KEY has more than 65536 bytes"})
}

// TestUnknownServer: a server with a certificate of another authority gets no token.
func TestUnknownServer(t *testing.T) {
	t.Parallel()
	s := start(t, nil, httptest.NewTLSServer)
	other := start(t, nil, httptest.NewTLSServer)
	o := from(s.URL, one)
	o.terms.CA = []byte("none")
	_, err := o.issue(t)
	if fault.CodeOf(err) != fault.BadSource || !strings.Contains(err.Error(), "no certificate in PEM") {
		t.Error(err)
	}
	o.terms.CA = nil
	_, err = o.issue(t)
	checkError(t, s, err, fault.NoSource, []string{"its certificate is not trusted", "ca_bundle"})
	if len(s.calls())+len(other.calls()) != 0 {
		t.Errorf("asked %q", s.calls())
	}
	o.terms.CA = bundle(s.Server)
	o.terms.Reads = nil
	_, err = o.issue(t)
	kit.Must(t, err)
}
