package admin

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
)

// given is a credential that a job would get.
type given struct {
	Source   string   `json:"source,omitempty"` // of the tenant; empty: the tenant's own
	Provider string   `json:"provider"`
	Role     string   `json:"role,omitempty"` // whose session the job gets
	Region   string   `json:"region,omitempty"`
	Duration string   `json:"duration,omitempty"` // the longest session
	Sets     []string `json:"sets,omitempty"`     // the variables that it brings
	Delivery string   `json:"delivery"`           // env or endpoint
	Profile  string   `json:"profile,omitempty"`  // by which tools find it
	Renew    string   `json:"renew_before,omitempty"`
	Chain    []role   `json:"chain,omitempty"` // the roles of a chain, the first one first
	Facts    []fact   `json:"facts,omitempty"` // what else logs show of the terms, of other providers than AWS
}

// fact is a text about the terms of an order.
type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// role is a role of a chain, with what its session would have.
type role struct {
	ARN            string    `json:"role"`
	ExternalID     string    `json:"external_id,omitempty"`
	Tags           []aws.Tag `json:"tags,omitempty"`
	SourceIdentity string    `json:"source_identity,omitempty"`
}

// givenBy returns the credential of an order.
func givenBy(o creds.Order) given {
	g := given{Source: o.Name, Provider: o.Provider, Role: o.Facts.Get(aws.RoleFact), Region: o.Facts.Get(aws.RegionFact), Sets: o.Sets, Delivery: "env"}
	if o.Limit > 0 {
		g.Duration = o.Limit.String()
	}
	if o.Served {
		g.Delivery, g.Renew = "endpoint", renewal(o.Renew)
	}
	if len(o.Tools) > 0 {
		g.Profile = o.Name
	}
	if o.Provider != aws.Name {
		g.Facts = factsOf(o)
		return g
	}
	terms, err := aws.ParseTerms(o.Terms)
	if err != nil || len(terms.Chain) == 0 {
		return g
	}
	g.Chain = []role{{ARN: terms.Role.String()}}
	for _, h := range terms.Chain {
		g.Chain = append(g.Chain, role{h.Role.String(), h.ExternalID, h.Tags, h.SourceIdentity})
	}
	return g
}

// factsOf returns the facts of an order that say more than which variables it sets.
func factsOf(o creds.Order) []fact {
	var all []fact
	for _, f := range o.Facts {
		if f.Value != "" && f.Value != strings.Join(o.Sets, " ") {
			all = append(all, fact(f))
		}
	}
	return all
}

// renewal says how long before its end a session is renewed.
func renewal(before time.Duration) string {
	if before > 0 {
		return before.String()
	}
	return "half of its life, or 15m if that is more"
}

// String returns the credential for people: of the tenant's own only what the line about the
// job does not say.
func (g given) String() string {
	text := ""
	if g.Provider != aws.Name {
		return g.foreign()
	}
	if g.Source != "" {
		text = fmt.Sprintf("source %s: role %s, region %s, sessions of %s\n", g.Source, g.Role, cmp.Or(g.Region, "of the runner's service"), cmp.Or(g.Duration, "the job's timeout"))
	}
	if g.Delivery == "endpoint" {
		text += "  delivery: endpoint"
		if g.Profile != "" {
			text += ", as profile " + g.Profile
		}
		text += "; renewed before its end by " + g.Renew + "\n"
	}
	for i, r := range g.Chain {
		text += fmt.Sprintf("  chain %d: %s\n", i+1, r)
	}
	return text
}

// foreign returns the credential of another provider than AWS for people.
func (g given) foreign() string {
	text := fmt.Sprintf("source %s: %s, sets %s\n", g.Source, g.Provider, strings.Join(g.Sets, ", "))
	for _, f := range g.Facts {
		text += fmt.Sprintf("  %s: %s\n", strings.ReplaceAll(f.Name, "_", " "), f.Value)
	}
	return text
}

// String returns the role with what its session has.
func (r role) String() string {
	parts := []string{r.ARN}
	if r.ExternalID != "" {
		parts = append(parts, "external id "+r.ExternalID)
	}
	for _, tag := range r.Tags {
		text := fmt.Sprintf("tag %s=%q", tag.Key, tag.Value)
		if tag.Transitive {
			text += " (transitive)"
		}
		parts = append(parts, text)
	}
	if r.SourceIdentity != "" {
		parts = append(parts, "source identity "+r.SourceIdentity)
	}
	return strings.Join(parts, ", ")
}
