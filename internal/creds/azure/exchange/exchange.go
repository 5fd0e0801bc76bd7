// Package exchange is the provider of Azure with its server: before a job gets its file, its ID
// token is exchanged once, so that what Entra ID refuses fails in the prepare stage.
package exchange

import (
	"context"
	"net/url"

	"rolecall/internal/creds"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/oauth"
	"rolecall/internal/creds/server"
	"rolecall/internal/idtoken"
)

// Provider is Azure.
type Provider struct{ azure.Provider }

// Issue returns the credential of an order. Unless its terms say otherwise, it exchanges the ID
// token once, as scripts will, and throws the access token away.
func (Provider) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	terms, err := azure.ParseTerms(o.Terms)
	if err == nil && terms.Probe {
		err = probe{terms, token}.exchange(ctx)
	}
	if err != nil {
		return creds.Credential{}, err
	}
	return azure.Give(o, terms, token), nil
}

// probe is an exchange of a token.
type probe struct {
	azure.Terms
	token idtoken.Token
}

// exchange exchanges the token for one of the API that manages resources.
//
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow#third-case-access-token-request-with-a-federated-credential
func (p probe) exchange(ctx context.Context) error {
	s, err := server.New(p.Authority, p.CABundle)
	if err != nil {
		return err
	}
	defer s.Close()
	_, refused, err := oauth.Exchange(ctx, s, "/"+p.Tenant+"/oauth2/v2.0/token", url.Values{
		"grant_type":            {"client_credentials"},
		"client_id":             {p.Client},
		"scope":                 {p.Scope()},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {p.token.Raw.Reveal()},
	})
	switch {
	case err != nil:
		return p.at(err)
	case refused != nil:
		return p.refused(refused)
	}
	return nil
}
