package sts

import (
	"context"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/idtoken"
)

// Issue assumes the role of an order for the job of the token. The order's Terms must be
// an aws.Terms; their server replaces the client's. Errors are those of Assume.
func (c Client) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	terms, err := aws.ParseTerms(o.Terms)
	if err != nil {
		return creds.Credential{}, err
	}
	c.Server = terms.Server
	return c.Assume(ctx, Request{
		Role:       terms.Role,
		ByJob:      terms.ByJob,
		Session:    o.Session,
		Token:      token,
		Lifetime:   o.Lifetime,
		Limit:      o.Limit,
		Policy:     terms.Policy,
		PolicyARNs: terms.PolicyARNs,
		Region:     terms.Region,
		Chain:      terms.Chain,
		Source:     o.Name,
		Endpoint:   terms.Endpoint,
	})
}
