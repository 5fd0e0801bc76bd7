// Package azure is the provider of Azure, without its servers: the keys of a source, what is
// ordered of it, and the file and variables by which Microsoft's libraries and tools exchange the
// job's ID token themselves.
//
// https://learn.microsoft.com/entra/workload-id/workload-identity-federation
package azure

import (
	"errors"
	"fmt"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// Name is the name of the provider.
const Name = "azure"

// Provider is Azure.
type Provider struct{}

// Name returns the provider's name.
func (Provider) Name() string { return Name }

// Overrides reports no variable: which ones count is known of each order.
func (Provider) Overrides(string) bool { return false }

// Ignores reports no variable.
func (Provider) Ignores(string) bool { return false }

// ToolFiles returns none: tools write to a folder of the credential.
func (Provider) ToolFiles() []creds.ToolFile { return nil }

// ByJob returns nothing: without a policy file there are no sources.
func (Provider) ByJob(admission.Asker) (any, error) { return nil, nil }

// Order returns the order of a source. A CA bundle that cannot be read is an error of a.ReadFile.
func (Provider) Order(a admission.Asker) (creds.Order, error) {
	s, ok := a.Settings.(Settings)
	if !ok {
		return creds.Order{}, errors.New("the settings of the source are not those of Azure")
	}
	if a.Served {
		return creds.Order{}, unserved(a)
	}
	terms := s.Terms
	var err error
	if terms.CABundle, err = a.ReadFile("ca_bundle", s.CABundle); err != nil {
		return creds.Order{}, err
	}
	sets, _ := s.Sets()
	return creds.Order{
		Provider: Name, Lifetime: a.Response.Timeout, Terms: terms.Encode(), Facts: terms.facts(), Sets: sets, Wins: wins(),
	}, nil
}

// unserved refuses a client that has asked for the source by HTTP: it gives a file.
func unserved(a admission.Asker) error {
	what := fmt.Sprintf("tenant %q: source %q gives files, and can be had by jobs of the driver only", a.Tenant, a.Source)
	return fault.New(fault.Refused, &tenant.Refusal{Tenant: a.Tenant, Rule: "source", What: what}, "ask for another source")
}
