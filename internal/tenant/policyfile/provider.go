package policyfile

import "rolecall/internal/tenant"

// Provider reads what a policy file says about one provider of credentials.
type Provider interface {
	// Name returns the provider's name, such as aws.
	Name() string
	// Asks returns the key by which a tenant requests credentials of the provider, such
	// as role_arn.
	Asks() string
	// Keys returns the provider's keys of [[tenant]] and [defaults], including Asks.
	Keys() Keys
	// Tables returns the provider's tables at the top, by name, with their keys.
	Tables() map[string]Keys
	// Server compiles the provider's tables. A missing table has no keys.
	Server(table func(name string) Table) any
	// Apply returns a copy of settings, which are nil or a result of Apply, changed by
	// the keys that the table has.
	Apply(t Table, settings any) any
	// Check reports missing keys of a tenant, and keys that contradict each other.
	Check(t Table, settings any)
}

// Sourcer is a Provider of which a tenant may have several credentials: its own, and those of
// its sources, the tables [[tenant.source]].
type Sourcer interface {
	Provider
	// SourceKeys returns the keys of a source, except its name and its provider.
	SourceKeys() Keys
	// Lists returns the lists of tables that a source may have, and a tenant too, by their
	// names, with their keys.
	Lists() map[string]Keys
	// Source compiles a source of a tenant, and reports what is wrong with it. Own is what
	// Apply has returned for the tenant.
	Source(t Table, own any) any
}

// Setter is what settings of a source are that know which variables they bring.
type Setter interface {
	// Sets returns the names of the variables, and whether every job of the tenant gets them.
	Sets() (names []string, always bool)
}

// tables returns the keys of the tables at the top, except tenant, by the names of the
// tables, and these names in the order in which messages list them.
func (c *compiler) tables() (keys map[string]Keys, names []string) {
	keys = map[string]Keys{"gitlab": gitlabKeys(), "gate": gateKeys(), "containers": containersKeys(), "handover": handoverKeys(), "defaults": c.tenantKeys()}
	names = []string{"gitlab"}
	for _, p := range c.providers {
		for name, own := range p.Tables() {
			keys[name] = own
			names = append(names, name)
		}
	}
	return keys, append(names, "gate", "containers", "handover", "defaults")
}

// tenantKeys returns the keys of a tenant, except its name.
func (c *compiler) tenantKeys() Keys {
	keys := ownKeys()
	for _, p := range c.providers {
		for name, kind := range p.Keys() {
			keys[name] = kind
		}
	}
	return keys
}

// servers compiles the tables of the providers.
func (c *compiler) servers(document map[string]any) []tenant.Gift {
	var servers []tenant.Gift
	for _, p := range c.providers {
		settings := p.Server(func(name string) Table { return c.table(document, name) })
		servers = append(servers, tenant.Gift{Provider: p.Name(), Settings: settings})
	}
	return servers
}

// apply returns the settings of each provider: the defaults, changed by the keys that
// the table has.
func (c *compiler) apply(t Table, defaults []any) []any {
	settings := make([]any, len(c.providers))
	for i, p := range c.providers {
		var before any
		if defaults != nil {
			before = defaults[i]
		}
		settings[i] = p.Apply(t, before)
	}
	return settings
}

// gifts returns what a tenant gives: what it requests of each provider, and its sources. If
// it gives nothing, the first provider reports what is missing.
func (c *compiler) gifts(t Table, settings []any) []tenant.Gift {
	var gifts []tenant.Gift
	for i, p := range c.providers {
		if t.Has(p.Asks()) {
			p.Check(t, settings[i])
			gifts = append(gifts, tenant.Gift{Provider: p.Name(), Settings: settings[i]})
		}
	}
	gifts = append(gifts, c.sources(t, settings)...)
	if gifts == nil && len(c.providers) > 0 {
		c.providers[0].Check(t, settings[0])
	}
	return gifts
}
