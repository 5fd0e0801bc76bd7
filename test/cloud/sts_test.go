package cloud_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// ask is a request to STS, before a test spoils it.
type ask struct {
	gitlab *coordinator.Server
	by     *coordinator.Server // who signs; nil: nobody, the token is that of the form
	claims map[string]any
	form   url.Values
	side   side
}

// newAsk returns a request for the role of alpha, which STS grants.
func newAsk(gitlab *coordinator.Server, on side) *ask {
	run := gitlab.Enqueue("nobody", coordinator.Job{Project: coordinator.Project{Path: "acme/shop"}})
	return &ask{gitlab: gitlab, by: gitlab, side: on, claims: run.Claims(audience("alpha")), form: url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {on.role("alpha")}, "RoleSessionName": {"session"},
	}}
}

// send sends the request.
func (a *ask) send(t *testing.T) (verdict, string) {
	t.Helper()
	if a.by != nil {
		a.form.Set("WebIdentityToken", a.by.SignToken(a.claims))
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.side.url+"/", strings.NewReader(a.form.Encode()))
	kit.Must(t, err)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return judge(t, request)
}

// past moves the times of a token into the past.
func past(claims map[string]any) {
	claims["iat"], claims["nbf"], claims["exp"] = time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(-2*time.Hour).Unix(), time.Now().Add(-time.Hour).Unix()
}

// judged is a row of the table: what is wrong with a request, and what STS says. MinIO's verdict
// stands beside it where MinIO judges the same.
type judged struct {
	spoil func(*ask)
	want  verdict
	minio verdict
}

// rows returns the table. Other is a GitLab server that the account does not know.
func rows(other *coordinator.Server) map[string]judged {
	granted, no, bad := verdict{200, ""}, verdict{}, verdict{400, "InvalidParameterValue"}
	invalid, denied, wrong := verdict{400, "InvalidIdentityToken"}, verdict{403, "AccessDenied"}, verdict{400, "ValidationError"}
	form := func(name, value string) func(*ask) { return func(a *ask) { a.form.Set(name, value) } }
	claim := func(name string, value any) func(*ask) { return func(a *ask) { a.claims[name] = value } }
	text := func(token string) func(*ask) {
		return func(a *ask) { a.by = nil; a.form.Set("WebIdentityToken", token) }
	}
	return map[string]judged{
		"right":                    {func(*ask) {}, granted, granted},
		"of the longest session":   {form("DurationSeconds", "3600"), granted, granted},
		"of the shortest session":  {form("DurationSeconds", "900"), granted, granted},
		"for two audiences":        {claim("aud", []string{"https://other.example", audience("alpha")}), granted, granted},
		"another key signs":        {func(a *ask) { a.by = other }, invalid, bad},
		"another issuer":           {func(a *ask) { a.by = other; a.claims["iss"] = other.Issuer() }, invalid, bad},
		"another issuer by name":   {claim("iss", "https://gitlab.com"), invalid, no},
		"another audience":         {claim("aud", "https://other.example"), invalid, bad},
		"no audience":              {func(a *ask) { delete(a.claims, "aud") }, invalid, bad},
		"no subject":               {func(a *ask) { delete(a.claims, "sub") }, invalid, bad},
		"the other tenant's":       {claim("aud", audience("beta")), denied, bad},
		"expired":                  {func(a *ask) { past(a.claims) }, verdict{400, "ExpiredTokenException"}, bad},
		"never expires":            {func(a *ask) { delete(a.claims, "exp") }, invalid, no},
		"not yet valid":            {claim("nbf", time.Now().Add(time.Hour).Unix()), invalid, bad},
		"no token":                 {text("none"), invalid, bad},
		"another project":          {claim("sub", "project_path:acme/other:ref_type:branch:ref:main"), denied, no},
		"a project of longer name": {claim("sub", "project_path:acme/shop2:ref_type:branch:ref:main"), denied, no},
		"unknown role":             {func(a *ask) { a.form.Set("RoleArn", a.side.role("alpha")+"x") }, denied, bad},
		"no role":                  {form("RoleArn", "arn:aws:iam::111122223333:user/admin"), wrong, bad},
		"session of a bad name":    {form("RoleSessionName", "a/b"), wrong, no},
		"session of a short name":  {form("RoleSessionName", "a"), wrong, no},
		"session of a long name":   {form("RoleSessionName", strings.Repeat("a", 65)), wrong, no},
		"longer than the role's":   {form("DurationSeconds", "3601"), wrong, no},
		"longer than any session":  {form("DurationSeconds", "99999999"), wrong, bad},
		"of no number of seconds":  {form("DurationSeconds", "1h"), wrong, bad},
		"no name of a session":     {form("RoleSessionName", ""), wrong, no},
		"a token of other letters": {text("kept-secret-ä"), wrong, bad},
		"shorter than any session": {form("DurationSeconds", "899"), wrong, bad},
		"with tags":                {claim("https://aws.amazon.com/tags", map[string]any{"principal_tags": map[string]any{"a": []string{"b"}}}), denied, no},
		"a session policy":         {form("Policy", "{}"), verdict{501, "NotImplemented"}, no},
		"another version":          {form("Version", "2010-05-08"), verdict{400, "InvalidAction"}, no},
		"another action":           {form("Action", "GetCallerIdentity"), verdict{400, "InvalidAction"}, no},
		"the issuer has other keys": {func(a *ask) {
			a.form.Set("WebIdentityToken", a.gitlab.SignToken(a.claims))
			a.by = nil
			a.gitlab.RotateKey()
		}, invalid, no},
		"the issuer fails": {func(a *ask) { a.gitlab.FailKeys(http.StatusBadGateway) }, verdict{400, "IDPCommunicationError"}, no},
	}
}

// TestSTS holds the stand-in against the table, and the table against MinIO.
func TestSTS(t *testing.T) {
	t.Parallel()
	gitlab, other := startGitLab(t), startGitLab(t)
	for on, side := range sides(t, gitlab) {
		for name, row := range rows(other) {
			want := row.want
			if on == "MinIO" {
				want = row.minio
			}
			if want == (verdict{}) {
				continue
			}
			a := newAsk(gitlab, side)
			row.spoil(a)
			got, text := a.send(t)
			gitlab.FailKeys(0)
			if got != want {
				t.Errorf("%s, %s: got %v, want %v: %s", on, name, got, want, text)
			}
			if want.code != "" && strings.Contains(text, "SecretAccessKey") {
				t.Errorf("%s, %s: it has keys", on, name)
			}
		}
	}
}

// TestWords: the texts by which rolecall tells refusals apart.
func TestWords(t *testing.T) {
	t.Parallel()
	gitlab, other := startGitLab(t), startGitLab(t)
	side, all := own(t, gitlab), rows(other)
	for name, want := range map[string]string{
		"another issuer by name":    "No OpenIDConnect provider found in your account for https://gitlab.com<",
		"another audience":          "Incorrect token audience",
		"no audience":               "Missing a required claim: aud",
		"the issuer has other keys": "retrieve verification key from your identity provider",
		"another project":           "Not authorized to perform sts:AssumeRoleWithWebIdentity",
		"no role":                   "Request ARN is invalid",
		"longer than the role's":    "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
		"longer than any session":   "less than or equal to 43200",
		"no name of a session":      "Value null at &#39;roleSessionName&#39;",
		"a token of other letters":  "Value &#39;***&#39; at &#39;webIdentityToken&#39;",
		"of no number of seconds":   "is no number",
		"shorter than any session":  "Value &#39;899&#39; at &#39;durationSeconds&#39;",
		"expired":                   "must be before the expiration date/time",
	} {
		a := newAsk(gitlab, side)
		all[name].spoil(a)
		if _, text := a.send(t); !strings.Contains(text, want) {
			t.Errorf("%s: no %q in %s", name, want, text)
		}
	}
}

// TestSDK: AWS's SDK understands the answer.
func TestSDK(t *testing.T) {
	t.Parallel()
	gitlab := startGitLab(t)
	side := own(t, gitlab)
	a := newAsk(gitlab, side)
	client := sts.New(sts.Options{BaseEndpoint: &side.url, Region: "eu-central-1", Retryer: aws.NopRetryer{}})
	out, err := client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{
		RoleArn: aws.String(side.role("alpha")), RoleSessionName: aws.String("session"), WebIdentityToken: aws.String(gitlab.SignToken(a.claims)), DurationSeconds: aws.Int32(900),
	})
	kit.Must(t, err)
	got := map[string]string{"arn": *out.AssumedRoleUser.Arn, "audience": *out.Audience, "provider": *out.Provider, "subject": *out.SubjectFromWebIdentityToken}
	want := map[string]string{
		"arn": "arn:aws:sts::111122223333:assumed-role/deploy-alpha/session", "audience": audience("alpha"),
		"provider": side.account.Provider(), "subject": a.claims["sub"].(string),
	}
	if !maps.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
	if left := time.Until(*out.Credentials.Expiration); left < 14*time.Minute || left > 15*time.Minute {
		t.Errorf("the session lasts %v, want 15 minutes", left)
	}
}
