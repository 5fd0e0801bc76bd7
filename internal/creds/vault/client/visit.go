package client

import (
	"context"
	"errors"
	"net/http"

	"rolecall/internal/creds/server"
	"rolecall/internal/creds/vault"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
)

// Visit is a login of the driver itself, for a few requests. No script gets anything of it.
type Visit struct {
	call

	in login
}

// Enter logs in by the ID token of a job, as Issue does. Leave must follow.
func Enter(ctx context.Context, terms vault.Terms, token idtoken.Token) (*Visit, error) {
	c, err := open(terms, token)
	if err != nil {
		return nil, err
	}
	in, err := c.login(ctx)
	if err != nil {
		c.server.Close()
		return nil, err
	}
	return &Visit{c, in}, nil
}

// Said is what Vault has answered: its HTTP status, and the data of a read.
type Said struct {
	Status int
	Data   map[string]any
	Text   string // of a refusal, in lower case; not to be printed
}

// Ask makes a request. The error is about a server that does not answer, or that cannot serve now:
// a refusal is none.
func (v *Visit) Ask(ctx context.Context, method, path string, body server.Body) (Said, error) {
	a, err := v.ask(ctx, method, path, v.in.token.Reveal(), body)
	switch {
	case err != nil:
		return Said{}, v.of(err)
	case v.isDown(a):
		return Said{}, v.down(a)
	case a.Status == http.StatusNoContent:
		return Said{Status: a.Status}, nil
	case !isVault(a):
		return Said{}, v.odd("an answer of it is not that of Vault")
	}
	var s secret
	_ = decode(a.Body, &s) // a refusal has no data, and what has another form has none that is used
	return Said{a.Status, s.Data, textOf(a)}, nil
}

// Host returns the host of the server, with its port if the address has one.
func (v *Visit) Host() string { return v.server.Host() }

// With adds to an error which role it is about, and where.
func (v *Visit) With(err *fault.Error) *fault.Error { return v.with(err) }

// Leave revokes the token of the visit. That it is revoked already is no error.
func (v *Visit) Leave(ctx context.Context) error {
	defer v.server.Close()
	if v.in.batch {
		return nil
	}
	a, err := v.ask(ctx, http.MethodPost, "auth/token/revoke-self", v.in.token.Reveal(), server.Body{})
	if err == nil && !isRevoked(a) {
		err = errors.New("the policies of its role do not allow that")
	}
	if err != nil {
		return fault.New(fault.NotRevoked, errors.New("the token of a visit to Vault is not revoked: it lives until "+v.in.until.UTC().Format("15:04:05Z")), "").Detail("why", unrevoked(err).Error())
	}
	return nil
}
