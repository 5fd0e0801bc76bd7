package sts

import (
	"context"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/idtoken"
)

// Issue assumes the role of an order, whose Terms are an aws.Terms, for the job of the
// token. The order's server takes the place of the client's. Errors are those of
// Assume; terms of another provider are an error, too.
func (c Client) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	terms, err := aws.ParseTerms(o.Terms)
	if err != nil {
		return creds.Credential{}, err
	}
	c.Server = terms.Server
	return c.Assume(ctx, Request{
		Role:       terms.Role,
		Session:    o.Session,
		Token:      token,
		Lifetime:   o.Lifetime,
		Limit:      o.Limit,
		Policy:     terms.Policy,
		PolicyARNs: terms.PolicyARNs,
		Region:     terms.Region,
	})
}
