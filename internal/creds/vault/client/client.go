// Package client asks Vault and OpenBao: it logs in by a job's ID token, reads what was ordered,
// and revokes the token when the job has ended.
//
// https://developer.hashicorp.com/vault/api-docs/auth/jwt#jwt-login
package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/server"
	"rolecall/internal/creds/vault"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
)

// Provider issues credentials of Vault.
type Provider struct{ vault.Provider }

// longest bounds how long anything of Vault is taken to live: an answer may name more seconds than
// a time can bear.
const longest = 100 * 365 * 24 * time.Hour

// Issue logs in, and reads what was ordered. As soon as there is a token it is held, so that it is
// revoked when the job ends; with it ends all that was read by it. Errors are of package fault.
func (Provider) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	terms, err := vault.ParseTerms(o.Terms)
	if err != nil {
		return creds.Credential{}, err
	}
	if o.Hold == nil {
		return creds.Credential{}, fault.New(fault.Programs, errors.New("this program cannot revoke what Vault gives"), "install all programs of one version of rolecall")
	}
	ctx, cancel := context.WithTimeout(ctx, server.Deadline)
	defer cancel()
	c, err := open(terms, token)
	if err != nil {
		return creds.Credential{}, err
	}
	defer c.server.Close()
	in, err := c.login(ctx)
	if err != nil {
		return creds.Credential{}, err
	}
	if !in.batch {
		h := creds.Handle{Provider: vault.Name, Name: o.Name, Terms: handleOf(terms, in.token), Until: in.until}
		if err := o.Hold(h); err != nil {
			return creds.Credential{}, errors.Join(err, Provider{}.Revoke(ctx, []byte(h.Terms.Reveal())))
		}
	}
	return c.give(ctx, o, in)
}

// call is the calls for one credential.
type call struct {
	server *server.Server
	terms  vault.Terms
	token  idtoken.Token
}

// open returns the calls of a server. Nothing is asked yet.
func open(terms vault.Terms, token idtoken.Token) (call, error) {
	s, err := server.New(terms.Address, terms.CA)
	return call{s, terms, token}, err
}

// handle is how a token is revoked.
type handle struct {
	Address   string `json:"address"`
	Namespace string `json:"namespace,omitempty"`
	CA        []byte `json:"ca,omitempty"`
	Token     string `json:"token"`
}

// handleOf returns the terms of a Handle.
func handleOf(t vault.Terms, token mask.Secret) mask.Secret {
	content, _ := json.Marshal(handle{t.Address, t.Namespace, t.CA, token.Reveal()}) // cannot fail: texts and bytes can always be encoded
	return mask.NewSecret(string(content))
}

// after returns the time that is so many seconds from now.
func after(seconds int64) time.Time {
	return time.Now().Add(time.Duration(min(seconds, int64(longest/time.Second))) * time.Second)
}
