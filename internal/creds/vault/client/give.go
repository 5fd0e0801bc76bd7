package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/server"
	"rolecall/internal/creds/vault"
	"rolecall/internal/fault"
)

// caFile is the file of the CA bundle for scripts. The names of other files are those of variables.
const caFile = "vault.ca.pem"

// earlyFact has when something of a credential ends before the job may, and batchFact that its
// token is not revoked.
const (
	earlyFact = "ends_early"
	batchFact = "batch"
)

// slack is how much earlier than the timeout of the job a credential may end without a note: Vault
// counts from its login, and the timeout from before it.
const slack = time.Minute

// give reads what was ordered, and makes the credential of it.
func (c call) give(ctx context.Context, o creds.Order, in login) (creds.Credential, error) {
	given := creds.Credential{Provider: vault.Name, Name: o.Name, Facts: slices.Clone(o.Facts)}
	if in.until.IsZero() {
		return given, c.badRole("the role gives tokens that never end")
	}
	g := giver{credential: &given, seen: map[string]bool{}}
	for _, read := range c.terms.Reads {
		if err := c.read(ctx, in, read, &g); err != nil {
			return creds.Credential{}, err
		}
	}
	if c.terms.Token {
		c.giveToken(in, &g)
	}
	g.end(in, c.terms.Token)
	if !given.Expires.IsZero() && o.Lifetime > 0 && time.Now().Add(o.Lifetime-slack).After(given.Expires) {
		given.Facts = append(given.Facts, creds.Fact{Name: earlyFact, Value: given.Expires.UTC().Format(time.RFC3339)})
	}
	if in.batch {
		given.Facts = append(given.Facts, creds.Fact{Name: batchFact, Value: in.until.UTC().Format(time.RFC3339)})
	}
	return given, nil
}

// read reads one path.
func (c call) read(ctx context.Context, in login, r vault.Read, g *giver) error {
	answer, err := c.ask(ctx, http.MethodGet, r.Path, in.token.Reveal(), server.Body{})
	if err != nil {
		return c.at(r, c.of(err))
	}
	if answer.Status != http.StatusOK {
		return c.at(r, c.refusedRead(answer, r))
	}
	var s secret
	if decode(answer.Body, &s) != nil {
		return c.at(r, c.odd("its answer to a read is not that of Vault"))
	}
	if s.Lease != "" {
		if err := c.lease(s, in, g); err != nil {
			return c.at(r, err)
		}
	}
	if err := g.add(r, s.fields()); err != nil {
		return c.at(r, c.misfit(err, s.fields()))
	}
	return nil
}

// lease notes the end of a lease. The error is that of one that cannot be revoked, or that has
// ended already.
func (c call) lease(s secret, in login, g *giver) *fault.Error {
	switch {
	case in.batch:
		return c.badRole("the role gives batch tokens, and what was read by one cannot be revoked: it lives until " + after(max(s.Seconds, 0)).UTC().Format(time.RFC3339))
	case s.Seconds <= 0:
		return c.with(fault.New(fault.BadSource, errors.New("what Vault gives for a path ends at once"), "set a default_ttl for what is read there"))
	}
	if end := after(s.Seconds); g.first.IsZero() || end.Before(g.first) {
		g.first = end
	}
	return nil
}

// giveToken gives the token itself to scripts, and where to use it.
func (c call) giveToken(in login, g *giver) {
	g.variable(vault.TokenVariable, in.token.Reveal())
	g.secret("token of Vault", in.token.Reveal())
	g.variable(vault.AddressVariable, c.terms.Address)
	if c.terms.Namespace != "" {
		g.variable(vault.NamespaceVariable, c.terms.Namespace)
	}
	if c.terms.CA != nil {
		g.file(caFile, vault.CAVariable, string(c.terms.CA))
	}
}

// end notes when the credential ends: with the first lease, or with the token, on which all leases
// hang. What has no lease does not end with the token.
func (g *giver) end(in login, token bool) {
	switch {
	case !g.first.IsZero() && g.first.Before(in.until):
		g.credential.Expires = g.first
	case !g.first.IsZero() || token:
		g.credential.Expires = in.until
	}
}

// Report returns what the job log shows of a credential.
func (Provider) Report(facts creds.Facts) creds.Report {
	r := creds.Report{Rows: []creds.Row{
		{Label: "server", Value: facts.Get(vault.ServerFact)},
		{Label: "namespace", Value: facts.Get(vault.NamespaceFact)},
		{Label: "role", Value: facts.Get(vault.RoleFact)},
		{Label: "sets", Value: strings.ReplaceAll(facts.Get(vault.VariablesFact), " ", ", ")},
	}}
	if end := facts.Get(earlyFact); end != "" {
		r.Notes = append(r.Notes, "What Vault gives ends at "+end+", before the timeout of the job: nothing renews it. Vault's role or path sets how long it lasts.")
	}
	if end := facts.Get(batchFact); end != "" {
		r.Notes = append(r.Notes, fmt.Sprintf("The token of Vault is a batch token, which nobody can revoke: it lives until %s.", end))
	}
	return r
}
