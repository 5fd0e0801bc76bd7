// Package gcp is the provider of Google Cloud, without its servers: the keys of a source, what is
// ordered of it, and the files by which Google's libraries and tools exchange the job's ID token
// themselves.
//
// https://cloud.google.com/iam/docs/workload-identity-federation
package gcp

import (
	"errors"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/source"
)

// Name is the name of the provider.
const Name = "gcp"

// Provider is Google Cloud.
type Provider struct{ source.Only }

// Name returns the provider's name.
func (Provider) Name() string { return Name }

// Order returns the order of a source. A CA bundle that cannot be read is an error of a.ReadFile.
func (Provider) Order(a admission.Asker) (creds.Order, error) {
	s, ok := a.Settings.(Settings)
	if !ok {
		return creds.Order{}, errors.New("the settings of the source are not those of Google Cloud")
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
		Provider: Name, Lifetime: a.Response.Timeout, Terms: terms.Encode(), Facts: terms.facts(), Sets: sets, Wins: terms.wins(),
	}, nil
}
