package admission

import (
	"fmt"
	"slices"

	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
)

// sourceTokens returns the ID tokens of the gifts that have one of their own. Each must belong
// to this very job, and be for the audience of the gift. A Bearer has no token but the tenant's.
func (c Case) sourceTokens(d Decision, gifts []tenant.Gift) (idtoken.ByName, error) {
	if len(c.Providers) == 0 {
		return nil, nil
	}
	tokens := idtoken.ByName{}
	for _, gift := range gifts {
		if gift.IDToken == "" {
			continue
		}
		token, err := c.sourceToken(d, gift)
		if err != nil {
			return nil, err
		}
		tokens[gift.IDToken] = token
	}
	return tokens, nil
}

// sourceToken returns the ID token of a gift.
func (c Case) sourceToken(d Decision, gift tenant.Gift) (idtoken.Token, error) {
	switch {
	case c.Bearer != nil:
		what := fmt.Sprintf("tenant %q: source %q has an ID token of its own, and can be had by jobs of the driver only", d.Grant.Tenant, gift.Name)
		return idtoken.Token{}, fault.New(fault.Refused, &tenant.Refusal{Tenant: d.Grant.Tenant, Rule: "source", What: what}, "ask for another source")
	case c.Request[gift.IDToken] == "":
		return idtoken.Token{}, ofSource(gift, tenant.NoToken(d.Grant.Tenant, gift.IDToken, gift.Audience))
	}
	token, err := c.token(gift.IDToken, new(idtoken.Claims))
	if err != nil {
		return token, ofSource(gift, err)
	}
	if slices.Contains(token.Claims.Audience, gift.Audience) {
		return token, nil
	}
	what := fmt.Sprintf("tenant %q refuses this job: the ID token of source %q is for another audience", d.Grant.Tenant, gift.Name)
	return token, fault.New(fault.Refused, &tenant.Refusal{Tenant: d.Grant.Tenant, Rule: "audience", What: what},
		fmt.Sprintf("set aud: of %s under id_tokens: to %s", gift.IDToken, gift.Audience)).
		With("rule", fmt.Sprintf("it is for %s", tenant.Quote(fmt.Sprint([]string(token.Claims.Audience)))))
}

// ofSource says which source an error is about.
func ofSource(gift tenant.Gift, err error) error {
	return fmt.Errorf("source %q: %w", gift.Name, err)
}
