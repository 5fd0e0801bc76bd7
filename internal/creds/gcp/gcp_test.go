package gcp_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

// base is a policy file with a source that has no keys yet.
const base = `[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
[[tenant.source]]
name = "google"
provider = "gcp"
`

// pool is the key that a source must have.
const (
	poolName = "projects/123456/locations/global/workloadIdentityPools/gitlab/providers/gitlab-com"
	pool     = "workload_identity_provider = \"" + poolName + "\"\n"
)

// compile compiles a policy file whose source has those keys.
func compile(keys string) (*tenant.Policy, error) {
	return policyfile.Compile("/p", []byte(base+keys), grant.AWS{}, gcp.Provider{})
}

// asker returns a job for which a source with those keys gives something.
func asker(t *testing.T, keys string) admission.Asker {
	t.Helper()
	policy, err := compile(keys)
	kit.Must(t, err)
	read := func(_, path string) ([]byte, error) {
		if path == "/gone" {
			return nil, errors.New("no such file")
		}
		return []byte(path), nil
	}
	return admission.Asker{
		Tenant: "alpha", Source: "google", Settings: policy.Tenants()[0].Gifts[0].Settings, ReadFile: read,
		Response: job.Response{Timeout: time.Hour},
	}
}

// give returns the order and the credential of a source with those keys, whose ID token ends after
// life.
func give(t *testing.T, keys string, life time.Duration) (creds.Order, creds.Credential) {
	t.Helper()
	o, err := gcp.Provider{}.Order(asker(t, keys))
	kit.Must(t, err)
	o.Name = "google"
	terms, err := gcp.ParseTerms(o.Terms)
	kit.Must(t, err)
	c := gcp.Give(o, terms, idtoken.Token{Raw: mask.NewSecret("an.id.token"), Claims: idtoken.Claims{Expiry: time.Now().Add(life).Unix()}})
	return o, c
}

// placed returns the content of the credential's JSON file, as a job has it.
func placed(t *testing.T, c creds.Credential) map[string]any {
	t.Helper()
	set := creds.Set{c}.In(func(name string) string { return "/run/" + name })
	kit.Must(t, set.Check())
	var got map[string]any
	kit.Must(t, json.Unmarshal([]byte(set[0].Files[0].Content.Reveal()), &got))
	if token := set[0].Files[1].Content.Reveal(); token != "an.id.token" {
		t.Errorf("the file of the token has %q", token)
	}
	return got
}

// TestFile: the credential file says what Google's libraries need, and holds no secret.
func TestFile(t *testing.T) {
	t.Parallel()
	plain := map[string]any{
		"type": "external_account", "universe_domain": "googleapis.com", "audience": "//iam.googleapis.com/" + poolName,
		"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
		"credential_source": map[string]any{"file": "/run/gcp-google.token"},
	}
	with := func(more map[string]any) map[string]any {
		all := map[string]any{}
		for _, one := range []map[string]any{plain, more} {
			for name, value := range one {
				all[name] = value
			}
		}
		return all
	}
	const account = "service_account = \"deploy@my-project.iam.gserviceaccount.com\"\n"
	for name, test := range map[string]struct {
		keys string
		want map[string]any
	}{
		"a pool": {pool, plain},
		"an account": {pool + account, with(map[string]any{
			"service_account_impersonation_url": "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/deploy@my-project.iam.gserviceaccount.com:generateAccessToken",
		})},
		"a lifetime": {pool + account + "lifetime = \"12h\"\niam_url = \"http://127.0.0.1:1/\"\n", with(map[string]any{
			"service_account_impersonation_url": "http://127.0.0.1:1/v1/projects/-/serviceAccounts/deploy@my-project.iam.gserviceaccount.com:generateAccessToken",
			"service_account_impersonation":     map[string]any{"token_lifetime_seconds": float64(43200)},
		})},
		"a server": {pool + "token_url = \"http://127.0.0.1:1/v1/token\"\n", with(map[string]any{
			"token_url": "http://127.0.0.1:1/v1/token", "token_info_url": "http://127.0.0.1:1/v1/introspect",
		})},
		"a universe": {pool + account + "universe_domain = \"apis.example.com\"\n", with(map[string]any{
			"universe_domain": "apis.example.com", "audience": "//iam.apis.example.com/" + poolName,
			"token_url": "https://sts.apis.example.com/v1/token", "token_info_url": "https://sts.apis.example.com/v1/introspect",
			"service_account_impersonation_url": "https://iamcredentials.apis.example.com/v1/projects/-/serviceAccounts/deploy@my-project.iam.gserviceaccount.com:generateAccessToken",
		})},
	} {
		_, c := give(t, test.keys, time.Hour)
		if diff := cmp.Diff(test.want, placed(t, c)); diff != "" {
			t.Errorf("%s (-want, +got):\n%s", name, diff)
		}
	}
}

// TestVariables: scripts get exactly the variables that the order names, and the project only if
// there is one.
func TestVariables(t *testing.T) {
	t.Parallel()
	const always = "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE=/run/gcp-google.json CLOUDSDK_CONFIG=gcloud GOOGLE_APPLICATION_CREDENTIALS=/run/gcp-google.json"
	for keys, want := range map[string]string{
		pool: always,
		pool + "project = \"example.com:p-1\"\n": "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE=/run/gcp-google.json CLOUDSDK_CONFIG=gcloud CLOUDSDK_CORE_PROJECT=example.com:p-1 CLOUDSDK_PROJECT=example.com:p-1 " +
			"GCLOUD_PROJECT=example.com:p-1 GCP_PROJECT=example.com:p-1 GOOGLE_APPLICATION_CREDENTIALS=/run/gcp-google.json GOOGLE_CLOUD_PROJECT=example.com:p-1",
		pool + "universe_domain = \"apis.example.com\"\n": "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE=/run/gcp-google.json CLOUDSDK_CONFIG=gcloud CLOUDSDK_CORE_UNIVERSE_DOMAIN=apis.example.com " +
			"GOOGLE_APPLICATION_CREDENTIALS=/run/gcp-google.json GOOGLE_CLOUD_UNIVERSE_DOMAIN=apis.example.com",
	} {
		o, c := give(t, keys, time.Hour)
		set := creds.Set{c}.In(func(name string) string { return "/run/" + name })
		got := set.Environ()
		for _, f := range c.Folders {
			got = append(got, f.Variable+"="+f.Path)
		}
		slices.Sort(got)
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: %s", keys, text)
		}
		var names []string
		for _, entry := range got {
			name, _, _ := strings.Cut(entry, "=")
			names = append(names, name)
		}
		if slices.Sort(o.Sets); !slices.Equal(o.Sets, names) {
			t.Errorf("the order sets %v, and the credential %v", o.Sets, names)
		}
	}
}

// TestTold: logs show provider, account and project; the credential ends with the ID token, and an
// early end is told.
func TestTold(t *testing.T) {
	t.Parallel()
	const full = pool + "service_account = \"deploy@p.iam.gserviceaccount.com\"\nproject = \"p\"\n"
	for name, test := range map[string]struct {
		keys  string
		life  time.Duration
		who   string
		notes int
	}{
		"a pool":          {pool, time.Hour, "pool gitlab, provider gitlab-com", 0},
		"an account":      {full, time.Hour - 4*time.Minute, "service account deploy@p.iam.gserviceaccount.com, project p", 0},
		"ends too early":  {full, 50 * time.Minute, "service account deploy@p.iam.gserviceaccount.com, project p", 1},
		"ends right away": {pool, time.Minute, "pool gitlab, provider gitlab-com", 1},
	} {
		o, c := give(t, test.keys, test.life)
		who, notes := gcp.Scripts{}.Tells(c.Facts)
		report := gcp.Provider{}.Report(c.Facts)
		if who != test.who || len(notes) != test.notes || len(report.Notes) != test.notes || report.Rows[0].Value != poolName {
			t.Errorf("%s: %q, %q, %+v", name, who, notes, report)
		}
		if left := time.Until(c.Expires); (left-test.life).Abs() > 2*time.Second || o.Lifetime != time.Hour {
			t.Errorf("%s: it ends in %v", name, left)
		}
	}
}

// TestOrders: an order and settings of others give nothing, and neither does a client of HTTP or a
// source whose bundle cannot be read.
func TestOrders(t *testing.T) {
	t.Parallel()
	if o, err := (gcp.Provider{}).Order(admission.Asker{Settings: 1}); err == nil || o.Provider != "" {
		t.Errorf("%+v, %v", o, err)
	}
	served := asker(t, pool)
	served.Served = true
	if o, err := (gcp.Provider{}).Order(served); fault.CodeOf(err) != fault.Refused || o.Provider != "" || !strings.Contains(err.Error(), `source "google" gives files`) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := (gcp.Provider{}).Order(asker(t, pool+"ca_bundle = \"/gone\"\n")); err == nil || o.Provider != "" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, terms := range []string{"{", "{}", "[]"} {
		if _, err := gcp.ParseTerms(json.RawMessage(terms)); err == nil {
			t.Errorf("%s are terms", terms)
		}
	}
	o, _ := give(t, pool+"ca_bundle = \"/ca.pem\"\n", time.Hour)
	if terms, err := gcp.ParseTerms(o.Terms); err != nil || string(terms.CABundle) != "/ca.pem" || !terms.Probe {
		t.Errorf("%+v, %v", terms, err)
	}
	o, _ = give(t, pool+"probe = false\n", time.Hour)
	if terms, err := gcp.ParseTerms(o.Terms); err != nil || terms.Probe {
		t.Errorf("%+v, %v", terms, err)
	}
}
