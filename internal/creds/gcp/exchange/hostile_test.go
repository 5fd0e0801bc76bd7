package exchange_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds/gcp"
	"rolecall/internal/fault"
)

// TestHostile: what a server says that is not Google is not printed, and no answer of another form
// is taken for a token.
func TestHostile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, nil)
	raw := token.Raw.Reveal()
	for name, test := range map[string]struct {
		status int
		body   string
		code   fault.Code
	}{
		"the token as a word":        {400, `{"error":"` + raw + `"}`, fault.BadSource},
		"a long word":                {400, `{"error":"` + strings.Repeat("a", 65) + `"}`, fault.BadSource},
		"no word":                    {400, `{"error_description":"` + raw + `"}`, fault.NoSource},
		"a page":                     {403, "<html>" + raw, fault.NoSource},
		"no answer":                  {200, "", fault.NoSource},
		"no token":                   {200, `{"access_token":"","expires_in":3600}`, fault.NoSource},
		"a token that is over":       {200, `{"access_token":"abcdefghijk","expires_in":0}`, fault.NoSource},
		"a list":                     {200, `["access_token"]`, fault.NoSource},
		"a redirect":                 {307, raw, fault.NoSource},
		"an error that may pass":     {503, `{"error":"` + raw + `"}`, fault.NoSource},
		"an error of the server":     {500, `{"error":"invalid_grant"}`, fault.NoSource},
		"its word for such an error": {400, `{"error":"server_error"}`, fault.NoSource},
		"too many":                   {429, `{"error":"invalid_grant"}`, fault.NoSource},
	} {
		w.google.Break(func(to http.ResponseWriter) bool {
			to.Header().Set("Location", w.google.URL+"/whoami")
			to.WriteHeader(test.status)
			_, _ = io.WriteString(to, test.body)
			return true
		})
		_, err := issue(t, w.terms(), token)
		if err == nil || fault.CodeOf(err) != test.code || strings.Contains(told(err), raw) || strings.Contains(told(err), "aaaaaaa") {
			t.Errorf("%s: %s, %v", name, fault.CodeOf(err), told(err))
		}
		if rows := fault.Rows(err); err != nil && rows[0].Text != pool {
			t.Errorf("%s: the rows are %v", name, rows)
		}
	}
}

// TestClockOfGoogle: whether the token has expired is asked of Google's clock, if it tells it.
func TestClockOfGoogle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for ahead, want := range map[time.Duration]fault.Code{time.Hour: fault.ForeignToken, time.Minute: fault.SourceRejected} {
		w.google.Break(func(to http.ResponseWriter) bool {
			to.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
			to.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(to, `{"error":"invalid_grant"}`)
			return true
		})
		if _, err := issue(t, w.terms(), w.token(t, nil)); fault.CodeOf(err) != want {
			t.Errorf("%v ahead: %s, %v", ahead, fault.CodeOf(err), err)
		}
	}
}

// TestHostileAccount: the same of the server of service accounts.
func TestHostileAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token, terms := w.token(t, nil), w.terms()
	terms.Account = account
	for name, test := range map[string]struct {
		status int
		body   string
		code   fault.Code
	}{
		"a token as a word": {400, "TOKEN", fault.BadSource},
		"no status":         {403, "", fault.NoSource},
		"a page":            {404, "<html>", fault.NoSource},
		"no token":          {200, "OK", fault.NoSource},
		"away":              {503, "UNAVAILABLE", fault.NoSource},
		"too many":          {429, "RESOURCE_EXHAUSTED", fault.NoSource},
	} {
		asked := 0
		w.google.Break(func(to http.ResponseWriter) bool {
			if asked++; asked == 1 {
				return false
			}
			body := `{"error":{"status":"` + strings.Replace(test.body, "TOKEN", w.google.Tokens()[0], 1) + `"}}`
			if strings.HasPrefix(test.body, "<") {
				body = test.body
			}
			to.WriteHeader(test.status)
			_, _ = io.WriteString(to, body)
			return true
		})
		_, err := issue(t, terms, token)
		if err == nil || fault.CodeOf(err) != test.code || strings.Contains(told(err), "ya29.") {
			t.Errorf("%s: %s, %v", name, fault.CodeOf(err), told(err))
		}
	}
}

// TestAway: a server that is not there, an address that may not be asked, and a bundle that is none.
func TestAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		set  func(*gcp.Terms)
		code fault.Code
		want string
	}{
		"nobody listens":  {func(x *gcp.Terms) { x.TokenURL = "http://127.0.0.1:1/v1/token" }, fault.NoSource, "no credentials: the server 127.0.0.1:1, 3 tries: connection refused"},
		"plain http":      {func(x *gcp.Terms) { x.TokenURL = "http://sts.example.com/v1/token" }, fault.BadSource, "the address of a source's server, at sts.example.com, is not https"},
		"no account's":    {func(x *gcp.Terms) { x.Account, x.IAMURL = account, "http://127.0.0.1:1" }, fault.NoSource, "no credentials: the server 127.0.0.1:1"},
		"a bundle":        {func(x *gcp.Terms) { x.CABundle = []byte("x") }, fault.BadSource, "the CA bundle of a source has no certificate in PEM"},
		"another's terms": {func(x *gcp.Terms) { x.Pool = "" }, fault.Unexpected, "the terms of the order are not those of Google Cloud"},
		"an unknown CA":   {func(x *gcp.Terms) { x.TokenURL = w.google.TLSURL + "/v1/token" }, fault.NoSource, "no credentials: the server "},
	} {
		terms := w.terms()
		test.set(&terms)
		if _, err := issue(t, terms, w.token(t, nil)); err == nil || fault.CodeOf(err) != test.code || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %s, %v", name, fault.CodeOf(err), err)
		}
	}
	terms := w.terms()
	terms.TokenURL, terms.CABundle = w.google.TLSURL+"/v1/token", w.google.CA
	if _, err := issue(t, terms, w.token(t, nil)); err != nil {
		t.Errorf("with the authority of the bundle: %v", err)
	}
}
