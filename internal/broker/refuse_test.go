package broker_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// TestTokensRefused: a token that is not of a job that the tenant allows gets a refusal that says
// why, and STS is not asked.
func TestTokensRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	forger, err := coordinator.Start()
	kit.Must(t, err)
	defer forger.Close()
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	forged := forger.SignToken(map[string]any{"iss": w.gitlab.Issuer(), "aud": audience, "job_id": "7", "project_id": "42", "project_path": "acme/deploy", "exp": ago(-time.Hour)})
	for name, test := range map[string]struct {
		path, token string
		status      int
		code, text  string
	}{
		"not a token":         {"/v1/aws/alpha", "hunter2", 401, "RC102", "it is not a JSON Web Token"},
		"forged":              {"/v1/aws/alpha", forged, 401, "RC102", "no key of " + w.gitlab.Issuer() + " has signed this token"},
		"changed":             {"/v1/aws/alpha", w.token(7, nil) + "A", 401, "RC102", "its signature does not verify"},
		"expired":             {"/v1/aws/alpha", w.token(7, map[string]any{"exp": ago(2 * time.Minute)}), 401, "RC102", "the ID token expired at"},
		"not yet":             {"/v1/aws/alpha", w.token(7, map[string]any{"nbf": ago(-10 * time.Minute)}), 503, "RC504", "the ID token is not yet valid"},
		"another issuer":      {"/v1/aws/alpha", w.token(7, map[string]any{"iss": "https://evil.example"}), 401, "RC102", "its claim iss is"},
		"another audience":    {"/v1/aws/alpha", w.token(7, map[string]any{"aud": "https://vault.example.com"}), 403, "RC103", `tenant "alpha" refuses this job: rule audience; set aud: of the ID token under id_tokens:`},
		"another, any tenant": {"/v1/aws", w.token(7, map[string]any{"aud": "https://vault.example.com"}), 403, "RC104", `the ID token is for the audience "https://vault.example.com"; this broker takes "https://rolecall.example.com"`},
		"a fork":              {"/v1/aws/alpha", w.token(7, map[string]any{"project_path": "evil/deploy"}), 403, "RC103", `tenant "alpha" refuses this job: rule projects`},
		"another ref":         {"/v1/aws/alpha", w.token(7, map[string]any{"ref": "feature"}), 403, "RC103", `tenant "alpha" refuses this job: rule refs`},
		"another tenant":      {"/v1/aws/beta", w.token(7, nil), 403, "RC103", `tenant "beta" refuses this job: rule projects`},
		"no tenant":           {"/v1/aws/gamma", w.token(7, nil), 403, "RC104", `this broker has no tenant "gamma"; correct AWS_CONTAINER_CREDENTIALS_FULL_URI`},
		"no source":           {"/v1/aws/alpha/none", w.token(7, nil), 403, "RC103", `tenant "alpha" has no source "none"`},
		"any tenant, none":    {"/v1/aws", w.token(7, map[string]any{"ref": "feature"}), 403, "RC104", "no tenant of this broker allows this job"},
		"of no job":           {"/v1/aws/alpha", w.token(7, map[string]any{"job_id": nil}), 401, "RC102", "the ID token has no claim job_id of a job"},
		"of no pipeline":      {"/v1/aws/alpha", w.token(7, map[string]any{"pipeline_id": "-9"}), 401, "RC102", "the ID token has no claim pipeline_id of a job"},
		"of no project":       {"/v1/aws/alpha", w.token(7, map[string]any{"job_project_id": "-1"}), 401, "RC102", "the ID token has no claim project_id of a job"},
	} {
		w.settled(test.path, test.token).refused(t, name, test.status, test.code, test.text)
	}
	if n := len(w.sts.Requests()); n > 0 {
		t.Errorf("STS was asked %d times", n)
	}
	if log := w.log.String(); strings.Contains(log, "hunter2") || strings.Contains(log, forged) || strings.Contains(log, "TENANT to") {
		t.Errorf("the log:\n%s", log)
	}
}

// TestRequestsRefused: what is not a request of an SDK gets an answer that says what is.
func TestRequestsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	const paths = "ask for /v1/aws/TENANT"
	for name, test := range map[string]struct {
		method, path string
		tokens       []string
		status       int
		code, text   string
	}{
		"POST":            {"POST", "/v1/aws/alpha", []string{token}, 405, "MethodNotAllowed", "only GET"},
		"OPTIONS":         {"OPTIONS", "/v1/aws/alpha", []string{token}, 405, "MethodNotAllowed", "only GET"},
		"no token":        {"GET", "/v1/aws/alpha", nil, 401, "RC101", "send the job's ID token"},
		"an empty token":  {"GET", "/v1/aws/alpha", []string{""}, 401, "RC101", "send the job's ID token"},
		"two tokens":      {"GET", "/v1/aws/alpha", []string{token, token}, 401, "RC101", "send the job's ID token"},
		"Bearer":          {"GET", "/v1/aws/alpha", []string{"Bearer " + token}, 401, "RC102", "the header Authorization must be the ID token alone, without Bearer"},
		"the root":        {"GET", "/", []string{token}, 404, "NotFound", paths},
		"no provider":     {"GET", "/v1/", []string{token}, 404, "NotFound", paths},
		"another one":     {"GET", "/v1/gcp/alpha", []string{token}, 404, "NotFound", paths},
		"a slash":         {"GET", "/v1/aws/alpha/", []string{token}, 404, "NotFound", paths},
		"two slashes":     {"GET", "/v1/aws//alpha", []string{token}, 404, "NotFound", paths},
		"too long":        {"GET", "/v1/aws/alpha/audit/x", []string{token}, 404, "NotFound", paths},
		"dots":            {"GET", "/v1/aws/beta/../alpha", []string{token}, 404, "NotFound", paths},
		"encoded dots":    {"GET", "/v1/aws/%2e%2e/alpha", []string{token}, 404, "NotFound", paths},
		"an encoded name": {"GET", "/v1/aws/%61lpha", []string{token}, 404, "NotFound", paths},
		"a query":         {"GET", "/v1/aws/alpha?x=1", []string{token}, 404, "NotFound", paths},
		"none":            {"GET", "/v1/aws/none/" + strings.Repeat("a", 100), []string{token}, 404, "NotFound", paths},
		"status":          {"GET", "/metrics", []string{token}, 404, "NotFound", paths},
	} {
		request, err := http.NewRequestWithContext(t.Context(), test.method, w.URL, nil)
		kit.Must(t, err)
		request.URL.Opaque = test.path // it is sent as it is
		request.Header["Authorization"] = test.tokens
		w.do(request).refused(t, name, test.status, test.code, test.text)
	}
	if n := len(w.sts.Requests()); n > 0 {
		t.Errorf("STS was asked %d times", n)
	}
}
