package sts

import (
	"context"
	"slices"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/idtoken"
)

// Provider issues credentials of AWS by STS.
type Provider struct {
	grant.AWS

	client Client
}

// NewProvider returns a provider with the client of NewClient.
func NewProvider() Provider { return Provider{client: NewClient()} }

// Lasting returns the provider for a program that calls STS often: the calls share what they read
// of the process's environment, and their connections.
func (p Provider) Lasting() Provider {
	p.client.loaded = &loaded{all: map[string]configured{}}
	return p
}

// Issue is Client.Issue.
func (p Provider) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	return p.client.Issue(ctx, o, token)
}

// ToolFiles is aws.ToolFiles.
func (Provider) ToolFiles() []creds.ToolFile { return aws.ToolFiles() }

// Ignores reports whether a variable of the service's environment is a setting of AWS
// that is not one of Settings. The SDK must not see it.
func (Provider) Ignores(variable string) bool {
	return aws.IsVariable(variable) && !slices.Contains(Settings(), variable)
}
