package azure_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/azure"
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
name = "ms"
provider = "azure"
`

// Keys that a source must have.
const (
	tenantID = "11111111-1111-1111-1111-111111111111"
	clientID = "22222222-2222-2222-2222-222222222222"
	keys     = "tenant_id = \"" + tenantID + "\"\nclient_id = \"" + clientID + "\"\n"
)

// compile compiles a policy file whose source has those keys.
func compile(keys string) (*tenant.Policy, error) {
	return policyfile.Compile("/p", []byte(base+keys), grant.AWS{}, azure.Provider{})
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
		Tenant: "alpha", Source: "ms", Settings: policy.Tenants()[0].Gifts[0].Settings, ReadFile: read,
		Response: job.Response{Timeout: time.Hour},
	}
}

// give returns the order and the credential of a source with those keys, whose ID token ends after
// life.
func give(t *testing.T, keys string, life time.Duration) (creds.Order, creds.Credential) {
	t.Helper()
	o, err := azure.Provider{}.Order(asker(t, keys))
	kit.Must(t, err)
	o.Name = "ms"
	terms, err := azure.ParseTerms(o.Terms)
	kit.Must(t, err)
	return o, azure.Give(o, terms, idtoken.Token{Raw: mask.NewSecret("an.id.token"), Claims: idtoken.Claims{Expiry: time.Now().Add(life).Unix()}})
}

// TestVariables: scripts get exactly the variables that the order names: those of Microsoft's
// libraries, az and Terraform.
func TestVariables(t *testing.T) {
	t.Parallel()
	const always = "ARM_CLIENT_ID=" + clientID + " ARM_OIDC_TOKEN_FILE_PATH=/run/azure-ms.token ARM_TENANT_ID=" + tenantID + " ARM_USE_OIDC=true " +
		"AZURE_CLIENT_ID=" + clientID + " AZURE_CONFIG_DIR=azure AZURE_FEDERATED_TOKEN_FILE=/run/azure-ms.token AZURE_TENANT_ID=" + tenantID + " AZURE_TOKEN_CREDENTIALS=WorkloadIdentityCredential"
	const subscription = "33333333-3333-3333-3333-333333333333"
	for more, want := range map[string][]string{
		"": nil,
		"subscription_id = \"" + subscription + "\"\n":                    {"ARM_SUBSCRIPTION_ID=" + subscription, "AZURE_SUBSCRIPTION_ID=" + subscription},
		"authority_host = \"https://login.microsoftonline.com/\"\n":       nil,
		"authority_host = \"https://login.example.com/\"\n":               {"AZURE_AUTHORITY_HOST=https://login.example.com/"},
		"authority_host = \"https://login.microsoftonline.us\"\n":         {"AZURE_AUTHORITY_HOST=https://login.microsoftonline.us/", "ARM_ENVIRONMENT=usgovernment"},
		"authority_host = \"https://login.partner.microsoftonline.cn\"\n": {"AZURE_AUTHORITY_HOST=https://login.partner.microsoftonline.cn/", "ARM_ENVIRONMENT=china"},
		"authority_host = \"http://127.0.0.1:1\"\nprobe = false\n":        {"AZURE_AUTHORITY_HOST=http://127.0.0.1:1/"},
	} {
		o, c := give(t, keys+more, time.Hour)
		set := creds.Set{c}.In(func(name string) string { return "/run/" + name })
		kit.Must(t, set.Check())
		got := set.Environ()
		for _, f := range c.Folders {
			got = append(got, f.Variable+"="+f.Path)
		}
		slices.Sort(got)
		want = append(want, strings.Fields(always)...)
		if slices.Sort(want); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", more, got, want)
		}
		var names []string
		for _, entry := range got {
			name, _, _ := strings.Cut(entry, "=")
			names = append(names, name)
		}
		if slices.Sort(o.Sets); !slices.Equal(o.Sets, names) {
			t.Errorf("the order sets %v, and the credential %v", o.Sets, names)
		}
		if len(c.Files) != 1 || c.Files[0].Content.Reveal() != "an.id.token" {
			t.Errorf("%s: the files are %v", more, c.Files)
		}
	}
}

// TestScope: the ID token is exchanged for the API of the authority's own cloud.
func TestScope(t *testing.T) {
	t.Parallel()
	for authority, want := range map[string]string{
		"https://login.microsoftonline.com": "https://management.azure.com/.default",
		"https://login.microsoftonline.us":  "https://management.usgovcloudapi.net/.default",
		"https://login.chinacloudapi.cn":    "https://management.chinacloudapi.cn/.default",
		"https://login.example.com":         "https://management.azure.com/.default",
	} {
		if got := (azure.Terms{Authority: authority}).Scope(); got != want {
			t.Errorf("%s: %s", authority, got)
		}
	}
}

// TestTold: logs show client and tenant; the credential ends with the ID token, and an early end is
// told.
func TestTold(t *testing.T) {
	t.Parallel()
	for life, notes := range map[time.Duration]int{time.Hour: 0, 56 * time.Minute: 0, 50 * time.Minute: 1} {
		o, c := give(t, keys, life)
		who, told := azure.Scripts{}.Tells(c.Facts)
		report := azure.Provider{}.Report(c.Facts)
		if who != "client "+clientID+" of tenant "+tenantID || len(told) != notes || len(report.Notes) != notes || report.Rows[1].Value != clientID {
			t.Errorf("%v: %q, %q, %+v", life, who, told, report)
		}
		if left := time.Until(c.Expires); (left-life).Abs() > 2*time.Second || o.Lifetime != time.Hour {
			t.Errorf("%v: it ends in %v", life, left)
		}
	}
	_, c := give(t, keys+"subscription_id = \""+clientID+"\"\n", time.Hour)
	if report := (azure.Provider{}).Report(c.Facts); report.Rows[2].Value != clientID {
		t.Errorf("%+v", report)
	}
}

// TestOrders: an order and settings of others give nothing, and neither does a client of HTTP or a
// source whose bundle cannot be read.
func TestOrders(t *testing.T) {
	t.Parallel()
	if o, err := (azure.Provider{}).Order(admission.Asker{Settings: 1}); err == nil || o.Provider != "" {
		t.Errorf("%+v, %v", o, err)
	}
	served := asker(t, keys)
	served.Served = true
	if o, err := (azure.Provider{}).Order(served); fault.CodeOf(err) != fault.Refused || o.Provider != "" || !strings.Contains(err.Error(), `source "ms" gives files`) {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := (azure.Provider{}).Order(asker(t, keys+"ca_bundle = \"/gone\"\n")); err == nil || o.Provider != "" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, terms := range []string{"{", "{}", "[]"} {
		if _, err := azure.ParseTerms(json.RawMessage(terms)); err == nil {
			t.Errorf("%s are terms", terms)
		}
	}
	o, _ := give(t, keys+"ca_bundle = \"/ca.pem\"\n", time.Hour)
	if terms, err := azure.ParseTerms(o.Terms); err != nil || string(terms.CABundle) != "/ca.pem" || !terms.Probe {
		t.Errorf("%+v, %v", terms, err)
	}
	o, _ = give(t, keys+"probe = false\n", time.Hour)
	if terms, err := azure.ParseTerms(o.Terms); err != nil || terms.Probe {
		t.Errorf("%+v, %v", terms, err)
	}
}
