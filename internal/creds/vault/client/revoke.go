package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rolecall/internal/creds/server"
	"rolecall/internal/creds/vault"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
)

// Revoke revokes the token of a Handle with those terms, and with it all that was read by it. A
// token that Vault does not know any more is revoked. Vault goes on by itself where a database does
// not answer at once.
//
// https://developer.hashicorp.com/vault/api-docs/auth/token#revoke-a-token-self
func (Provider) Revoke(ctx context.Context, terms []byte) error {
	var h handle
	if err := json.Unmarshal(terms, &h); err != nil || h.Token == "" {
		return errors.New("what would revoke a token of Vault cannot be read")
	}
	c, err := open(vault.Terms{Settings: vault.Settings{Address: h.Address, Namespace: h.Namespace}, CA: h.CA}, idtoken.Token{})
	if err != nil {
		return err
	}
	defer c.server.Close()
	answer, err := c.ask(ctx, http.MethodPost, "auth/token/revoke-self", h.Token, server.Body{})
	if err != nil {
		return unrevoked(err)
	}
	if isRevoked(answer) {
		return nil
	}
	if c.isDown(answer) {
		return unrevoked(c.down(answer))
	}
	return fault.New(fault.BadSource, fmt.Errorf("a token is not revoked by Vault at %s: HTTP status %d", c.server.Host(), answer.Status),
		"the policy default of Vault allows a token to revoke itself; the token must have it, or another policy with update on auth/token/revoke-self")
}

// isRevoked reports whether a token is gone after that answer.
func isRevoked(a server.Answer) bool {
	gone := a.Status == http.StatusForbidden && strings.Contains(textOf(a), "invalid token")
	return a.Status == http.StatusNoContent || a.Status == http.StatusOK && isVault(a) || gone
}

// unrevoked returns an error of the server that speaks of what a job gets as one about what it had.
func unrevoked(err error) error {
	if own, ok := errors.AsType[*fault.Error](err); ok {
		own.What = errors.New("not revoked: " + strings.TrimPrefix(own.What.Error(), "no credentials: "))
	}
	return err
}
