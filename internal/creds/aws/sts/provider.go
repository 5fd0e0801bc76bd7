package sts

import (
	"context"
	"slices"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/idtoken"
)

// Provider is AWS with STS as its server.
type Provider struct {
	grant.AWS

	client Client
}

// NewProvider returns the provider with a client that suits a job's prepare stage.
func NewProvider() Provider { return Provider{client: NewClient()} }

// Issue is Client.Issue.
func (p Provider) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	return p.client.Issue(ctx, o, token)
}

// Ignores reports whether a variable of the service's environment is one of AWS's that
// a Client is not documented to obey, so that the SDK must not see it.
func (Provider) Ignores(variable string) bool {
	return aws.IsVariable(variable) && !slices.Contains(Settings(), variable)
}
