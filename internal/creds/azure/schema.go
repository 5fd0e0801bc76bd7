package azure

import (
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Settings are what a source says.
type Settings struct {
	Terms
	CABundle string // path of a file
}

// Sets returns the names of the variables that scripts get. Each job of the tenant gets them.
func (s Settings) Sets() (names []string, always bool) { return s.sets(), true }

// Servers returns the URL of the server that the source asks, and the path of the file with its
// authorities.
func (s Settings) Servers() (urls []string, caBundle string) {
	return []string{s.Authority}, s.CABundle
}

// SourceKeys returns the keys of a source.
func (Provider) SourceKeys() policyfile.Keys {
	return policyfile.Keys{
		"tenant_id": policyfile.Text, "client_id": policyfile.Text, "subscription_id": policyfile.Text,
		"authority_host": policyfile.Text, "ca_bundle": policyfile.Text, "probe": policyfile.Switch,
	}
}

// Source compiles a source.
func (Provider) Source(t policyfile.Table, _ any) any {
	s := Settings{Terms: Terms{Authority: defaultAuthority, Probe: true}}
	policyfile.Set(t, "tenant_id", readTenant, &s.Tenant)
	policyfile.Set(t, "client_id", readGUID, &s.Client)
	policyfile.Set(t, "subscription_id", readGUID, &s.Subscription)
	policyfile.Set(t, "authority_host", readAuthority, &s.Authority)
	policyfile.Set(t, "ca_bundle", policyfile.ReadPath, &s.CABundle)
	policyfile.SetSwitch(t, "probe", &s.Probe)
	for _, key := range []string{"tenant_id", "client_id"} {
		if !t.Own(key) {
			t.FailTable(fmt.Errorf("%s is missing; the page of the application or managed identity in Azure has it", key))
		}
	}
	if s.CABundle != "" && !s.Probe {
		t.Fail("ca_bundle", errors.New("it is for the probe only, and probe is false; remove one of them"))
	}
	return s
}

// readGUID reads the id of an application, an identity or a subscription.
func readGUID(text string) (string, error) {
	if !isGUID(text) {
		return "", fmt.Errorf("%s: want a GUID, such as 00000000-0000-0000-0000-000000000000", tenant.Quote(text))
	}
	return text, nil
}

// isGUID reports whether a text is a GUID.
func isGUID(text string) bool {
	parts := strings.Split(text, "-")
	if len(parts) != 5 || strings.Trim(text, "0123456789abcdefABCDEF-") != "" {
		return false
	}
	return len(parts[0]) == 8 && len(parts[1]) == 4 && len(parts[2]) == 4 && len(parts[3]) == 4 && len(parts[4]) == 12
}

// readTenant reads the id or a domain of a tenant of Entra ID. Words such as common, which stand
// for any tenant, have no dot.
func readTenant(text string) (string, error) {
	if !isGUID(text) && (!policyfile.MadeOf(text, ".") || !strings.Contains(text, ".") || strings.Trim(text[:1], ".-") == "" || len(text) > 253) {
		return "", fmt.Errorf("%s: want the GUID or a domain of a tenant of Entra ID, such as contoso.onmicrosoft.com", tenant.Quote(text))
	}
	return text, nil
}

// readAuthority reads the URL of Entra ID, and returns it without a / at its end.
func readAuthority(text string) (string, error) {
	if text == "" {
		return "", errors.New("want a URL such as " + defaultAuthority)
	}
	_, err := policyfile.ReadServer(text)
	return strings.TrimRight(text, "/"), err
}
