// Package source has what is the same in all providers whose credentials are those of sources: such
// a provider has no keys of tenants and no tables, and gives nothing without a policy file.
package source

import (
	"fmt"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Only is embedded by a provider that gives credentials of sources only.
type Only struct{}

// Asks returns no key: credentials are those of sources.
func (Only) Asks() string { return "" }

// Keys returns no keys of a tenant.
func (Only) Keys() policyfile.Keys { return nil }

// Tables returns no tables.
func (Only) Tables() map[string]policyfile.Keys { return nil }

// Server returns nothing.
func (Only) Server(func(string) policyfile.Table) any { return nil }

// Apply returns nothing.
func (Only) Apply(policyfile.Table, any) any { return nil }

// Check reports nothing.
func (Only) Check(policyfile.Table, any) {}

// Lists returns no lists.
func (Only) Lists() map[string]policyfile.Keys { return nil }

// Overrides reports no variable: which ones count is known of each order.
func (Only) Overrides(string) bool { return false }

// Ignores reports no variable of the service.
func (Only) Ignores(string) bool { return false }

// ToolFiles returns none: what tools write is in a folder of the credential.
func (Only) ToolFiles() []creds.ToolFile { return nil }

// ByJob returns nothing: without a policy file there are no sources.
func (Only) ByJob(admission.Asker) (any, error) { return nil, nil }

// Unserved refuses a client that has asked for a source by HTTP: it gives files.
func Unserved(a admission.Asker) error {
	what := fmt.Sprintf("tenant %q: source %q gives files, and can be had by jobs of the driver only", a.Tenant, a.Source)
	return fault.New(fault.Refused, &tenant.Refusal{Tenant: a.Tenant, Rule: "source", What: what}, "ask for another source")
}
