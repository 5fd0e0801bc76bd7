// Package helper starts the helpers of sources: it asks them for credentials, judges their answers,
// and has them revoke what they gave.
package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/external"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/internal/program"
)

// Provider issues credentials by helpers.
type Provider struct{ external.Exec }

// held is how a credential is revoked.
type held struct {
	external.Terms

	Service []string `json:"service,omitempty"` // proxies and certificates, as NAME=value
	State   string   `json:"state"`
}

// Issue asks the helper of an order for its credential. What the helper can revoke is held before the
// answer is judged.
func (Provider) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	var terms external.Terms
	if err := json.Unmarshal(o.Terms, &terms); err != nil || len(terms.Command) == 0 {
		return creds.Credential{}, errors.New("the terms of the order are not those of a helper")
	}
	service := append(program.Proxies(o.Service), program.Certificates(o.Service)...)
	r, err := call{terms, service, question(terms, token)}.run(ctx)
	if err != nil {
		return creds.Credential{}, err
	}
	secrets := []mask.Secret{token.Raw}
	g, err := read(r, terms)
	if err == nil && g.state != "" {
		secrets = append(secrets, mask.NewSecret(g.state))
		err = hold(ctx, o, held{terms, service, g.state}, g.expires)
	}
	if err == nil {
		err = g.judge(terms)
	}
	if err != nil {
		return creds.Credential{}, r.explain(terms, err, append(secrets, g.secrets()...))
	}
	return g.credential(o, terms, r.shown(append(secrets, g.secrets()...))), nil
}

// credential returns what was given as the credential of an order.
func (g given) credential(o creds.Order, terms external.Terms, said string) creds.Credential {
	c := g.Credential
	c.Provider, c.Name, c.Expires = external.Name, o.Name, g.expires
	c.Facts = append(c.Facts, creds.Fact{Name: external.HelperFact, Value: terms.Command[0]},
		creds.Fact{Name: external.VariablesFact, Value: strings.Join(g.names(), " ")}, creds.Fact{Name: external.SaidFact, Value: said})
	return c
}

// hold keeps how a credential is revoked. If that cannot be kept, it is revoked at once.
func hold(ctx context.Context, o creds.Order, h held, until time.Time) error {
	terms, _ := json.Marshal(h) // cannot fail: texts can always be encoded
	err := fault.New(fault.Programs, errors.New("this program cannot have a credential revoked later"), "install all programs of one version of rolecall")
	if o.Hold != nil {
		kept := o.Hold(creds.Handle{Provider: external.Name, Name: o.Name, Terms: mask.NewSecret(string(terms)), Until: until})
		if kept == nil {
			return nil
		}
		return errors.Join(fmt.Errorf("how a credential is revoked cannot be kept: %w", kept), Provider{}.Revoke(ctx, terms))
	}
	return errors.Join(err, Provider{}.Revoke(ctx, terms))
}

// Revoke has a helper revoke what it gave, by the terms that were held. It gets neither claims nor ID
// token: the job is over.
func (Provider) Revoke(ctx context.Context, terms []byte) error {
	var h held
	if err := json.Unmarshal(terms, &h); err != nil || len(h.Command) == 0 {
		return errors.New("the terms are not those of a helper")
	}
	r, err := call{h.Terms, h.Service, revocation(h)}.run(ctx)
	if err != nil {
		return err
	}
	if err := readRevoked(r); err != nil {
		return r.explain(h.Terms, err, []mask.Secret{mask.NewSecret(h.State)})
	}
	return nil
}

// names returns the names of the variables that are given.
func (g given) names() []string {
	var names []string
	for _, v := range g.Env {
		names = append(names, v.Name)
	}
	for _, f := range g.Files {
		names = append(names, f.Variables...)
	}
	slices.Sort(names)
	return names
}
