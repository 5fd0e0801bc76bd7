package exchange_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/creds/gcp/exchange"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/test/coordinator"
	"rolecall/test/fakecloud"
	"rolecall/test/kit"
)

const (
	pool     = "projects/123456/locations/global/workloadIdentityPools/gitlab/providers/gitlab-com"
	audience = "https://iam.googleapis.com/" + pool
	subject  = "project_path:acme/deploy:ref_type:branch:ref:main"
	account  = "deploy@my-project.iam.gserviceaccount.com"
)

// world is an issuer of ID tokens, and Google.
type world struct {
	gitlab *coordinator.Server
	google *fakecloud.Server
}

// newWorld starts a world whose pool takes the tokens of the issuer.
func newWorld(t *testing.T) world {
	t.Helper()
	gitlab, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(gitlab.Close)
	google := fakecloud.Start(fakecloud.Rules{
		Issuer: gitlab.Issuer(), Audience: audience, Subject: subject, Pool: pool,
		Accounts: []string{account, "other@my-project.iam.gserviceaccount.com"}, Becomes: []string{account},
	})
	t.Cleanup(google.Close)
	return world{gitlab, google}
}

// terms are those of a source of the world.
func (w world) terms() gcp.Terms {
	return gcp.Terms{Pool: pool, Universe: "googleapis.com", TokenURL: w.google.URL + "/v1/token", IAMURL: w.google.URL, Probe: true}
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
func issue(t *testing.T, terms gcp.Terms, token idtoken.Token) (creds.Credential, error) {
	t.Helper()
	return exchange.Provider{}.Issue(t.Context(), creds.Order{Provider: "gcp", Name: "google", Terms: terms.Encode()}, token)
}

// TestProbe: the ID token is exchanged once as Google's libraries do it, and the job gets files.
func TestProbe(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		set   func(*gcp.Terms)
		paths string
		body  string
	}{
		"of a pool":        {func(*gcp.Terms) {}, "/v1/token", ""},
		"of an account":    {func(x *gcp.Terms) { x.Account = account }, "/v1/token /v1/projects/-/serviceAccounts/" + account + ":generateAccessToken", `{"scope":["https://www.googleapis.com/auth/cloud-platform"]}`},
		"with a lifetime":  {func(x *gcp.Terms) { x.Account, x.Lifetime = account, 20*time.Minute }, "/v1/token /v1/projects/-/serviceAccounts/" + account + ":generateAccessToken", `{"scope":["https://www.googleapis.com/auth/cloud-platform"],"lifetime":"1200s"}`},
		"without":          {func(x *gcp.Terms) { x.Probe = false }, "", ""},
		"without, no pool": {func(x *gcp.Terms) { x.Probe, x.Pool = false, "other" }, "", ""},
	} {
		w := newWorld(t)
		terms := w.terms()
		test.set(&terms)
		c, err := issue(t, terms, w.token(t, nil))
		if err != nil || c.Name != "google" || len(c.Files) != 2 {
			t.Errorf("%s: %v, %v", name, c, err)
		}
		var paths []string
		body := ""
		for _, r := range w.google.Requests() {
			paths = append(paths, r.Path)
			if r.Form == nil {
				body = r.Body
			}
		}
		if got := strings.Join(paths, " "); got != test.paths || body != test.body {
			t.Errorf("%s: asked %s with %s", name, got, body)
		}
		for _, token := range w.google.Tokens() {
			all, _ := json.Marshal(c.Facts)
			if strings.Contains(c.Files[0].Content.Reveal()+string(all), token) {
				t.Errorf("%s: an access token is in the credential", name)
			}
		}
	}
}

// refusal is a case that Google refuses.
type refusal struct {
	set    func(*gcp.Terms)
	claims map[string]any
	code   fault.Code
	what   string // how the error begins
	next   string // a part of what is to be done
	who    string
}

// refusals are the cases.
func refusals() map[string]refusal {
	nothing := func(*gcp.Terms) {}
	const notPipeline = "the owner of the Google Cloud project my-project (not the pipeline)"
	return map[string]refusal{
		"another pool":      {func(x *gcp.Terms) { x.Pool = strings.Replace(pool, "gitlab-com", "other", 1) }, nil, fault.BadSource, `Google refuses the request for the provider of the pool ("invalid_target")`, "must name a provider that exists", ""},
		"another audience":  {nothing, map[string]any{"aud": "https://gitlab.example.com"}, fault.SourceRejected, `Google does not accept the ID token of this job ("invalid_grant")`, "takes only\n" + audience, notPipeline},
		"two audiences":     {nothing, map[string]any{"aud": []string{"a", audience}, "iss": "https://other.example.com"}, fault.SourceRejected, `Google does not accept the ID token`, "must be the iss of the job, and Google must be able to read", notPipeline},
		"for days":          {nothing, map[string]any{"exp": time.Now().Unix() + 30*3600 + 600, "aud": "x"}, fault.SourceRejected, `Google does not accept the ID token`, "it is valid for 30 hours, and Google takes no token that is valid for more than 24: shorten timeout:", notPipeline},
		"expired":           {nothing, map[string]any{"exp": time.Now().Unix() - 10}, fault.ForeignToken, `the ID token of this job has expired ("invalid_grant")`, "run the job again", ""},
		"a condition":       {nothing, map[string]any{"sub": subject + "x"}, fault.SourceDenied, `Google refuses this job ("unauthorized_client")`, "attribute condition", notPipeline},
		"not that account":  {func(x *gcp.Terms) { x.Account = "other@my-project.iam.gserviceaccount.com" }, nil, fault.SourceDenied, `Google refuses the service account to this job ("PERMISSION_DENIED")`, "principal://iam.googleapis.com/projects/123456/locations/global/workloadIdentityPools/gitlab/subject/" + subject, notPipeline},
		"an unknown one":    {func(x *gcp.Terms) { x.Account = "none@my-project.iam.gserviceaccount.com" }, nil, fault.BadSource, `Google does not know the service account ("NOT_FOUND")`, "correct service_account", ""},
		"too long for that": {func(x *gcp.Terms) { x.Account, x.Lifetime = account, 2*time.Hour }, nil, fault.BadSource, `Google refuses the request for the service account ("INVALID_ARGUMENT")`, "lifetime of the source", ""},
	}
}

// TestRefusals: what Google refuses is told with its word alone, and with the claims of the job.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range refusals() {
		terms, token := w.terms(), w.token(t, test.claims)
		terms.Project = "my-project"
		test.set(&terms)
		c, err := issue(t, terms, token)
		if err == nil || len(c.Files) > 0 || fault.CodeOf(err) != test.code || !strings.HasPrefix(err.Error(), test.what) || !strings.Contains(err.Error(), test.next) {
			t.Errorf("%s: %s, %v", name, fault.CodeOf(err), err)
		}
		checkRows(t, name, err, test)
		if text := told(err); strings.Contains(text, token.Raw.Reveal()) || strings.Contains(text, "AQAB") {
			t.Errorf("%s: the token is in %s", name, text)
		}
	}
}

// checkRows checks what an error tells of the case.
func checkRows(t *testing.T, name string, err error, test refusal) {
	t.Helper()
	rows := map[string]string{}
	for _, row := range fault.Rows(err) {
		rows[row.Label] = row.Text
	}
	if rows["who acts"] != test.who {
		t.Errorf("%s: who acts is %q", name, rows["who acts"])
	}
	if test.code == fault.ForeignToken {
		return
	}
	if !strings.Contains(rows["provider"], "workloadIdentityPools/gitlab/providers/") || !strings.Contains(rows["this job"], "sub  "+subject) {
		t.Errorf("%s: the rows are %v", name, rows)
	}
}

// told returns all that an error can print.
func told(err error) string {
	text := err.Error()
	for _, row := range fault.Rows(err) {
		text += row.Text
	}
	return text
}
