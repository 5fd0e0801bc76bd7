package azure_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/azure"
)

// TestRefused: what is wrong in a source is told with its line.
func TestRefused(t *testing.T) {
	t.Parallel()
	const of = `tenant "alpha": source "ms": `
	for name, test := range map[string]struct{ keys, want string }{
		"nothing":           {"", "/p:7: " + of + "tenant_id is missing; the page of the application"},
		"no client":         {"tenant_id = \"contoso.com\"\n", "/p:7: " + of + "client_id is missing"},
		"any tenant":        {strings.Replace(keys, tenantID, "common", 1), "/p:10: " + of + `tenant_id: "common": want the GUID or a domain`},
		"a path":            {strings.Replace(keys, tenantID, "a.com/x", 1), "tenant_id: "},
		"two dots":          {strings.Replace(keys, tenantID, "..", 1), "tenant_id: "},
		"no tenant":         {strings.Replace(keys, tenantID, "", 1), "tenant_id: "},
		"a long one":        {strings.Replace(keys, tenantID, strings.Repeat("a.", 127), 1), "tenant_id: "},
		"a name":            {strings.Replace(keys, clientID, "deploy", 1), "/p:11: " + of + `client_id: "deploy": want a GUID, such as 0000`},
		"a long GUID":       {strings.Replace(keys, clientID, clientID+"2", 1), "client_id: "},
		"no GUID":           {strings.Replace(keys, clientID, strings.Replace(clientID, "2222-", "222-2", 1), 1), "client_id: "},
		"another form":      {strings.Replace(keys, clientID, "22222222-222-2222-2222-222222222222", 1), "client_id: "},
		"not hexadecimal":   {strings.Replace(keys, clientID, strings.Replace(clientID, "2", "g", 1), 1), "client_id: "},
		"a subscription":    {keys + "subscription_id = \"prod\"\n", `/p:12: ` + of + `subscription_id: "prod": want a GUID`},
		"plain http":        {keys + "authority_host = \"http://login.example.com\"\n", "authority_host: want an https:// URL; http:// is for this host only"},
		"no authority":      {keys + "authority_host = \"\"\n", "authority_host: want a URL such as https://login.microsoftonline.com"},
		"a bundle for none": {keys + "ca_bundle = \"/ca.pem\"\nprobe = false\n", "/p:12: " + of + "ca_bundle: it is for the probe only"},
		"a relative bundle": {keys + "ca_bundle = \"ca.pem\"\n", "ca_bundle: \"ca.pem\": want an absolute path"},
		"another's key":     {keys + "role_arn = \"x\"\n", "/p:12: unknown key \"role_arn\" in [[tenant.source]]"},
		"twice":             {keys + strings.Replace(base[strings.Index(base, "[[tenant.source]]"):], "ms", "two", 1) + keys, `source "two": it sets AZURE_FEDERATED_TOKEN_FILE, and so does source "ms"`},
	} {
		if _, err := compile(test.keys); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	for _, id := range []string{"contoso.onmicrosoft.com", strings.ToUpper(strings.ReplaceAll(tenantID, "1", "a"))} {
		if _, err := compile(strings.Replace(keys, tenantID, id, 1)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestWins: a job's variables that say who it is elsewhere would win, and those that say where it
// works would not.
func TestWins(t *testing.T) {
	t.Parallel()
	o, _ := give(t, keys, time.Hour)
	wins := func(name string) bool {
		return slices.ContainsFunc(o.Wins, func(pattern string) bool { return creds.Covers(pattern, name) })
	}
	for _, name := range []string{
		"AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "AZURE_USERNAME", "AZURE_PASSWORD", "AZURE_AUTHORITY_HOST",
		"ARM_CLIENT_SECRET", "ARM_CLIENT_SECRET_FILE_PATH", "ARM_CLIENT_CERTIFICATE", "ARM_USE_MSI", "ARM_USE_CLI", "ARM_USE_AKS_WORKLOAD_IDENTITY",
		"ARM_ACCESS_KEY", "ARM_SAS_TOKEN", "ARM_OIDC_TOKEN", "ARM_OIDC_REQUEST_URL", "ARM_METADATA_HOSTNAME", "IDENTITY_ENDPOINT", "MSI_SECRET",
	} {
		if !wins(name) {
			t.Errorf("%s does not win", name)
		}
	}
	for _, name := range []string{"ARM_USE_AZUREAD", "ARM_SUBSCRIPTION_ID", "AZURE_STORAGE_ACCOUNT", "AZURE_LOCATION", "ARM_SKIP_PROVIDER_REGISTRATION"} {
		if wins(name) {
			t.Errorf("%s wins", name)
		}
	}
}

// TestScripts: scripts have nothing of the host's identity in Azure.
func TestScripts(t *testing.T) {
	t.Parallel()
	s := azure.Scripts{}
	if hides := s.Hides(); !slices.Contains(hides, "ARM_CLIENT_*") || !slices.Contains(hides, "AZURE_CLIENT_*") || slices.Contains(hides, "AZURE_*") {
		t.Errorf("hides %v", hides)
	}
	if s.Name() != "azure" || s.Settings() != nil || s.ToolFiles() != nil || s.Guards() != nil {
		t.Errorf("%+v", s)
	}
}
