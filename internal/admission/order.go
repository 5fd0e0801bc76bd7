package admission

import (
	"fmt"
	"slices"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// Provider knows what can be ordered from one provider of credentials. It asks no
// server.
type Provider interface {
	// Name returns the provider's name, such as aws.
	Name() string
	// Overrides reports whether a job variable of that name would win over the
	// provider's credentials inside the job's script.
	Overrides(variable string) bool
	// ByJob returns the settings that a job requests without a policy file.
	ByJob(a Asker) (settings any, err error)
	// Order returns what to order for a job; an Order without a provider for nothing.
	Order(a Asker) (creds.Order, error)
}

// Sender is a Provider whose tools can send an ID token themselves, to a broker.
type Sender interface {
	// Sends reports whether the tools send the value of a job variable of that name as a token.
	Sends(variable string) bool
}

// Asker is a job of a tenant that something is ordered for.
type Asker struct {
	Tenant   tenant.Name
	Source   string // name of the source that something is ordered from; empty: the tenant's own
	Settings any    // of the tenant or the source, in the provider's type
	Server   any    // of the policy file, in the provider's type; nil without a policy file
	Response job.Response
	Request  job.Request
	Claims   idtoken.Claims // of the ID token that pays: the tenant's, or the source's own; empty without a policy file
	ReadFile FileReader

	Served            bool   // the credential is given by HTTP, and not to scripts
	CredentialProgram string // as in Case
}

// giveByJob puts into a grant what the job requests of each provider.
func (c Case) giveByJob(g *tenant.Grant) error {
	for _, p := range c.Providers {
		settings, err := p.ByJob(c.asker(Decision{Grant: *g}, tenant.Gift{}))
		if err != nil {
			return err
		}
		if settings != nil {
			g.Gifts = append(g.Gifts, tenant.Gift{Provider: p.Name(), Settings: settings})
		}
	}
	return nil
}

// orders returns the orders of a decision: one for each of the gifts.
func (c Case) orders(d Decision, gifts []tenant.Gift) ([]creds.Order, error) {
	if len(c.Providers) == 0 {
		return nil, nil
	}
	orders := make([]creds.Order, 0, len(gifts))
	for _, gift := range gifts {
		order, err := c.order(d, gift)
		if err != nil {
			return nil, err
		}
		if order.Provider != "" {
			orders = append(orders, order)
		}
	}
	return orders, c.checkSets(d, orders)
}

// checkSets refuses orders that bring one variable twice, or one that would win over what a
// provider gives.
func (c Case) checkSets(d Decision, orders []creds.Order) error {
	seen := map[string]string{}
	for _, o := range orders {
		for _, name := range o.Sets {
			other, twice := seen[name]
			seen[name] = o.Name
			switch {
			case twice:
				return badSets(d, "the sources %q and %q both set %s for this job", other, o.Name, name)
			case c.overrides(name) && !standsIn(orders, o), wonBy(orders, o, name):
				return badSets(d, "source %q sets %s, which would win over other credentials", o.Name, name)
			}
		}
	}
	return nil
}

// standsIn reports whether what is ordered stands in the place of another provider, of which nothing
// is ordered: then it brings that provider's variables.
func standsIn(orders []creds.Order, one creds.Order) bool {
	return one.For != "" && !slices.ContainsFunc(orders, func(o creds.Order) bool { return o.Provider == one.For })
}

// wonBy reports whether a variable that one of the orders brings would win over another of them.
func wonBy(orders []creds.Order, one creds.Order, name string) bool {
	return slices.ContainsFunc(orders, func(o creds.Order) bool { return o.Name != one.Name && wins(o, name) })
}

// badSets returns the error about variables that sources set.
func badSets(d Decision, format string, args ...any) error {
	return fault.New(fault.BadPolicy, fmt.Errorf("tenant %q: "+format, append([]any{d.Grant.Tenant}, args...)...), "correct the sources in the policy file")
}

// asked returns the gifts that are asked for.
func (c Case) asked(g tenant.Grant) ([]tenant.Gift, error) {
	if c.Bearer == nil {
		return g.Gifts, nil
	}
	one := slices.DeleteFunc(slices.Clone(g.Gifts), func(gift tenant.Gift) bool { return gift.Provider != c.Bearer.Provider || gift.Name != c.Bearer.Source })
	if len(one) > 0 {
		return one, nil
	}
	what := fmt.Sprintf("tenant %q gives nothing of %s itself", g.Tenant, c.Bearer.Provider)
	if c.Bearer.Source != "" {
		what = fmt.Sprintf("tenant %q has no source %s", g.Tenant, tenant.Quote(c.Bearer.Source))
	}
	return nil, fault.New(fault.Refused, &tenant.Refusal{Tenant: g.Tenant, Rule: "source", What: what}, "correct the end of "+tenant.URLVariable)
}

// order returns the order of one gift. It has the name of the gift.
func (c Case) order(d Decision, gift tenant.Gift) (creds.Order, error) {
	p := c.provider(gift.Provider)
	if p == nil {
		return creds.Order{}, fault.New(fault.Programs, fmt.Errorf("tenant %q: this program does not know the provider %q", d.Grant.Tenant, gift.Provider),
			"install all programs of one version of rolecall")
	}
	order, err := p.Order(c.asker(d, gift))
	if err == nil {
		order.Name, order.IDToken = gift.Name, gift.IDToken
	}
	return order, err
}

// overrides reports whether a job variable of that name would win over what the job
// gets. Without providers the job gets nothing.
func (c Case) overrides(name string) bool {
	ours := []string{job.EnvFileVariable, job.ExpiresVariable, job.EndpointVariable, job.EndpointTokenVariable}
	return len(c.Providers) > 0 && slices.Contains(ours, name) || slices.ContainsFunc(c.Providers, func(p Provider) bool { return p.Overrides(name) })
}

// isSent reports whether a variable has an ID token of this very job, which tools send as it is:
// it wins over nothing. Its signature is for who gets it.
func (c Case) isSent(name string) bool {
	sends := slices.ContainsFunc(c.Providers, func(p Provider) bool {
		s, ok := p.(Sender)
		return ok && s.Sends(name)
	})
	if !sends || len(c.Response.Values(name)) > 1 {
		return false
	}
	token, _ := idtoken.Parse(c.Request[name]) // what is none is of no job
	return token.CheckJob(int64(c.Response.ID), c.Response.Project) == nil
}

// asker returns the job as the provider of a gift sees it.
func (c Case) asker(d Decision, gift tenant.Gift) Asker {
	claims := d.Token.Claims
	if gift.IDToken != "" {
		claims = d.Tokens[gift.IDToken].Claims
	}
	return Asker{
		Tenant:            d.Grant.Tenant,
		Source:            gift.Name,
		Settings:          gift.Settings,
		Server:            tenant.Find(d.Settings.Servers, gift.Provider),
		Response:          c.Response,
		Request:           c.Request,
		Claims:            claims,
		ReadFile:          c.ReadFile,
		Served:            c.Bearer != nil,
		CredentialProgram: c.CredentialProgram,
	}
}

// provider returns the provider of that name, or nil.
func (c Case) provider(name string) Provider {
	for _, p := range c.Providers {
		if p.Name() == name {
			return p
		}
	}
	return nil
}
