package exchange_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/azure/exchange"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/test/coordinator"
	"rolecall/test/fakecloud"
	"rolecall/test/kit"
)

const (
	audience = "api://AzureADTokenExchange"
	subject  = "project_path:acme/deploy:ref_type:branch:ref:main"
	tenantID = "11111111-1111-1111-1111-111111111111"
	clientID = "22222222-2222-2222-2222-222222222222"
)

// world is an issuer of ID tokens, and Entra ID.
type world struct {
	gitlab *coordinator.Server
	entra  *fakecloud.Server
}

// newWorld starts a world whose client takes the tokens of the issuer.
func newWorld(t *testing.T) world {
	t.Helper()
	gitlab, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(gitlab.Close)
	entra := fakecloud.Start(fakecloud.Rules{Issuer: gitlab.Issuer(), Audience: audience, Subject: subject, Tenant: tenantID, Client: clientID})
	t.Cleanup(entra.Close)
	return world{gitlab, entra}
}

// terms are those of a source of the world.
func (w world) terms() azure.Terms {
	return azure.Terms{Tenant: tenantID, Client: clientID, Authority: w.entra.TLSURL, CABundle: w.entra.CA, Probe: true}
}

// token returns an ID token with other claims.
func (w world) token(t *testing.T, more map[string]any) idtoken.Token {
	t.Helper()
	now := time.Now().Unix()
	claims := map[string]any{"iss": w.gitlab.Issuer(), "aud": audience, "sub": subject, "iat": now, "exp": now + 600, "job_id": "7", "project_id": "42"}
	for name, value := range more {
		claims[name] = value
	}
	token, err := idtoken.Parse(w.gitlab.SignToken(claims))
	kit.Must(t, err)
	return token
}

// issue asks for the credential of a source.
func issue(t *testing.T, terms azure.Terms, token idtoken.Token) (creds.Credential, error) {
	t.Helper()
	return exchange.Provider{}.Issue(t.Context(), creds.Order{Provider: "azure", Name: "ms", Terms: terms.Encode()}, token)
}

// told returns all that an error can print.
func told(err error) string {
	text := err.Error()
	for _, row := range fault.Rows(err) {
		text += "\n" + row.Label + " " + row.Text
	}
	return text
}

// TestProbe: the ID token is exchanged once, over TLS, and the job gets a file. Without the probe
// nobody is asked.
func TestProbe(t *testing.T) {
	t.Parallel()
	for probe, want := range map[bool]int{true: 1, false: 0} {
		w := newWorld(t)
		terms := w.terms()
		terms.Probe = probe
		c, err := issue(t, terms, w.token(t, nil))
		if err != nil || c.Name != "ms" || len(c.Files) != 1 {
			t.Errorf("%v: %v, %v", probe, c, err)
		}
		got := w.entra.Requests()
		if len(got) != want || want > 0 && (got[0].Path != "/"+tenantID+"/oauth2/v2.0/token" || got[0].Form.Get("scope") != "https://management.azure.com/.default") {
			t.Errorf("%v: %+v", probe, got)
		}
	}
}

// refusal is a case that Entra ID refuses.
type refusal struct {
	set    func(*azure.Terms)
	claims map[string]any
	code   fault.Code
	what   string // how the error begins
	next   string // a part of what is told
}

// refusals are the cases.
func refusals() map[string]refusal {
	nothing := func(*azure.Terms) {}
	const owner = "who acts the owner of the client in Entra ID (not the pipeline)"
	return map[string]refusal{
		"another tenant":   {func(x *azure.Terms) { x.Tenant = "contoso.com" }, nil, fault.BadSource, `Entra ID refuses the request for the client ("AADSTS90002")`, "must name a client that exists"},
		"another client":   {func(x *azure.Terms) { x.Client = tenantID }, nil, fault.BadSource, `Entra ID refuses the request for the client ("AADSTS700016")`, "client " + tenantID},
		"another audience": {nothing, map[string]any{"aud": "https://gitlab.example.com"}, fault.SourceRejected, `Entra ID does not accept the ID token of this job ("AADSTS700212")`, owner},
		"another subject":  {nothing, map[string]any{"sub": subject + "'; x"}, fault.SourceRejected, `Entra ID does not accept the ID token of this job ("AADSTS700213")`, `"subject": "` + subject + `'; x",`},
		"another issuer":   {nothing, map[string]any{"iss": "https://other.example.com"}, fault.SourceRejected, `Entra ID does not accept the ID token of this job ("AADSTS700211")`, `"issuer": "https://other.example.com"`},
		"a long subject":   {nothing, map[string]any{"sub": strings.Repeat("x", 1000)}, fault.SourceRejected, `Entra ID does not accept the ID token`, "the client needs a federated credential with the iss, sub and aud of the job"},
		"expired":          {nothing, map[string]any{"exp": time.Now().Unix() - 10}, fault.ForeignToken, `the ID token of this job is not valid now, says Entra ID ("AADSTS700024")`, "run the job again"},
	}
}

// TestRefusals: what Entra ID refuses is told with its number, with the claims of the job and with
// its id of the request.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range refusals() {
		terms, token := w.terms(), w.token(t, test.claims)
		test.set(&terms)
		c, err := issue(t, terms, token)
		if err == nil || len(c.Files) > 0 || fault.CodeOf(err) != test.code || !strings.HasPrefix(err.Error(), test.what) || !strings.Contains(told(err), test.next) {
			t.Errorf("%s: %s, %v", name, fault.CodeOf(err), err)
			continue
		}
		own, _ := err.(*fault.Error) //nolint:errorlint // it is not wrapped here
		if own == nil || own.Trace != "Entra correlation id 01234567-89ab-cdef-0123-456789abcdef" || !strings.HasPrefix(own.Answer.Code, "AADSTS") {
			t.Errorf("%s: %+v", name, own)
		}
		if text := told(err); strings.Contains(text, token.Raw.Reveal()) || !strings.Contains(text, "this job sub  ") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestAnswers: numbers that are not known leave the decision to the word; what a server says that is
// not Entra ID is not printed.
func TestAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.token(t, nil)
	raw := token.Raw.Reveal()
	for body, want := range map[string]fault.Code{
		`{"error":"invalid_client","error_codes":[700027]}`:         fault.SourceRejected,
		`{"error":"invalid_client","error_codes":[700024]}`:         fault.ForeignToken,
		`{"error":"invalid_client","error_codes":[7000112]}`:        fault.SourceDenied,
		`{"error":"invalid_grant","error_codes":[53003]}`:           fault.SourceDenied,
		`{"error":"invalid_resource","error_codes":[500011]}`:       fault.BadSource,
		`{"error":"invalid_request","error_codes":[50166]}`:         fault.NoSource,
		`{"error":"temporarily_unavailable","error_codes":[1]}`:     fault.NoSource,
		`{"error":"invalid_client","error_codes":[1]}`:              fault.SourceRejected,
		`{"error":"invalid_grant"}`:                                 fault.SourceRejected,
		`{"error":"unauthorized_client","error_codes":[]}`:          fault.SourceDenied,
		`{"error":"invalid_request","error_codes":[-1]}`:            fault.BadSource,
		`{"error":"` + raw + `","error_description":"` + raw + `"}`: fault.BadSource,
		`{"error":"invalid_grant","error_codes":["` + raw + `"]}`:   fault.NoSource,
		`{"error":"invalid_grant","correlation_id":"` + raw + `"}`:  fault.SourceRejected,
		`{"error":{"code":"` + raw + `"}}`:                          fault.NoSource,
		raw:                                                         fault.NoSource,
	} {
		w.entra.Break(func(to http.ResponseWriter) bool {
			to.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(to, body)
			return true
		})
		_, err := issue(t, w.terms(), token)
		text := fmt.Sprintf("%+v %s", err, told(err))
		if own, ok := err.(*fault.Error); ok { //nolint:errorlint // it is not wrapped here
			text += own.Trace + own.Answer.Code + own.Answer.Request
		}
		if fault.CodeOf(err) != want || strings.Contains(text, raw) || strings.Contains(text, "correlation id (") {
			t.Errorf("%s: %s, %s", body, fault.CodeOf(err), text)
		}
	}
}

// TestTexts: what is told of a refusal fits it.
func TestTexts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for body, test := range map[string]struct {
		life int64
		want string
	}{
		`{"error":"invalid_client","error_codes":[700027]}`: {60, `Entra ID must be able to read the issuer's keys, at "` + w.gitlab.Issuer() + `/.well-known/openid-configuration"`},
		`{"error":"invalid_grant"}`:                         {60, `Entra ID does not accept the ID token of this job ("invalid_grant")`},
		`{"error":"invalid_client","error_codes":[1]}`:      {-60, `the ID token of this job is not valid now, says Entra ID ("AADSTS1")`},
		"not JSON": {60, "\nclient " + clientID},
	} {
		w.entra.Break(func(to http.ResponseWriter) bool {
			to.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(to, body)
			return true
		})
		if _, err := issue(t, w.terms(), w.token(t, map[string]any{"exp": time.Now().Unix() + test.life})); err == nil || !strings.Contains(told(err), test.want) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestAway: a server that is not there, or that nobody vouches for, and terms of others.
func TestAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		set  func(*azure.Terms)
		code fault.Code
		want string
	}{
		"nobody listens":  {func(x *azure.Terms) { x.Authority = "http://127.0.0.1:1" }, fault.NoSource, "no credentials: the server 127.0.0.1:1, 3 tries: connection refused"},
		"plain http":      {func(x *azure.Terms) { x.Authority = "http://login.example.com" }, fault.BadSource, "the address of a source's server, at login.example.com, is not https"},
		"an unknown CA":   {func(x *azure.Terms) { x.CABundle = nil }, fault.NoSource, "no credentials: the server "},
		"a bundle":        {func(x *azure.Terms) { x.CABundle = []byte{} }, fault.BadSource, "the CA bundle of a source has no certificate in PEM"},
		"another's terms": {func(x *azure.Terms) { x.Client = "" }, fault.Unexpected, "the terms of the order are not those of Azure"},
	} {
		terms := w.terms()
		test.set(&terms)
		if _, err := issue(t, terms, w.token(t, nil)); err == nil || fault.CodeOf(err) != test.code || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %s, %v", name, fault.CodeOf(err), err)
		}
	}
}
