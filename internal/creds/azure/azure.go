// Package azure is the provider of Azure, without its servers: the keys of a source, what is
// ordered of it, and the file and variables by which Microsoft's libraries and tools exchange the
// job's ID token themselves.
//
// https://learn.microsoft.com/entra/workload-id/workload-identity-federation
package azure

import (
	"errors"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/source"
)

// Name is the name of the provider.
const Name = "azure"

// Provider is Azure.
type Provider struct{ source.Only }

// Name returns the provider's name.
func (Provider) Name() string { return Name }

// Order returns the order of a source. A CA bundle that cannot be read is an error of a.ReadFile.
func (Provider) Order(a admission.Asker) (creds.Order, error) {
	s, ok := a.Settings.(Settings)
	if !ok {
		return creds.Order{}, errors.New("the settings of the source are not those of Azure")
	}
	if a.Served {
		return creds.Order{}, source.Unserved(a)
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
