package prepare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/mask"
	"rolecall/internal/session"
	"rolecall/internal/state"
	"rolecall/internal/tenant"
)

// listTime bounds how long a store may take.
const listTime = 30 * time.Second

// Store has what jobs hand over.
type Store interface {
	// Name returns the store's name in a policy file.
	Name() string
	// List returns what the jobs of a scope have handed over.
	List(ctx context.Context, w handover.Way, s handover.Scope) (handover.Listing, error)
}

// handoverOf returns how an admitted job hands over values, for its record; nil if it does not. Why
// says why not.
func handoverOf(s *session.Session, job string, providers []Provider) (h *state.Handover, why string) {
	g, claims := s.Grant, s.Token.Claims
	switch {
	case g.Tenant == tenant.None:
		return nil, "the job has no tenant, and only jobs of a tenant get such values"
	case g.Handover.Store == "":
		return nil, "this runner hands over no values: its policy file has no [handover]"
	case g.Handover.Off != "":
		return nil, fmt.Sprintf("tenant %q hands over no values: %s", g.Tenant, g.Handover.Off)
	case claims.Issuer == "" || claims.ProjectID == "" || claims.PipelineID == "":
		return nil, "the job's ID token does not say which project and pipeline it is of"
	case job == "" || len(job) > handover.MaxJob:
		return nil, "GitLab has not sent the name of the job"
	}
	return &state.Handover{
		Scope: handover.Scope{
			Issuer: claims.Issuer, Tenant: string(g.Tenant), Project: string(claims.ProjectID), Pipeline: string(claims.PipelineID), Class: g.Class(),
		},
		Job: job, Settings: g.Handover, Taken: taken(s.Orders, providers),
	}, ""
}

// taken returns the names that belong to the credentials of a job.
func taken(orders []creds.Order, providers []Provider) []string {
	var names []string
	for _, o := range orders {
		names = append(append(names, o.Sets...), o.Wins...)
	}
	names = append(names, toolVariables(providers)...)
	slices.Sort(names)
	return slices.Compact(names)
}

// toolVariables returns the variables of the files of tools.
func toolVariables(providers []Provider) (names []string) {
	for _, p := range providers {
		for _, f := range p.ToolFiles() {
			names = append(names, f.Variable)
		}
	}
	return names
}

// take returns the credential with the values that earlier jobs have handed over to this one, and
// false if no values are handed over. Set is what was issued to the job.
func (a admitted) take(set creds.Set) (creds.Credential, bool, error) {
	h := a.folder.Record().Handover
	expected, err := handover.ParseExpect(a.Env.Request[handover.Expect])
	switch {
	case err != nil:
		return creds.Credential{}, false, fault.New(fault.BadVariable, err, "write names of variables with blanks between them")
	case h == nil:
		return creds.Credential{}, false, refuseExpected(handover.Taken{}, expected, a.noHandover)
	}
	listing, err := a.list(*h, set)
	if err != nil {
		return creds.Credential{}, false, fmt.Errorf("what earlier jobs have handed over cannot be read: %w", err)
	}
	got := handover.Join(listing.Parcels, h.Job, time.Now())
	got.Withhold(a.conflict(*h, set))
	a.warnAll("what a job has handed over cannot be used: ", listing.Broken)
	if err := refuseExpected(got, expected, none(h.Settings, listing)); err != nil {
		return creds.Credential{}, false, err
	}
	a.warnAll("not taken: ", texts(got.Withheld))
	return asCredential(got, earlier(listing, h.Job)), true, a.tellTaken(*h, got)
}

// warnAll warns of what the job does not get.
func (a admitted) warnAll(begin string, all []string) {
	for _, text := range all {
		a.warn(begin + text)
	}
}

// texts returns what is withheld, and why.
func texts(withheld []handover.Withheld) (all []string) {
	for _, w := range withheld {
		all = append(all, w.String())
	}
	return all
}

// list asks the store of the job.
func (a admitted) list(h state.Handover, set creds.Set) (handover.Listing, error) {
	store, err := handover.Named(a.parts.Stores, h.Settings.Store)
	if err != nil {
		return handover.Listing{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), listTime)
	defer cancel()
	return store.List(ctx, a.way(h.Settings, set), h.Scope)
}

// way returns how the job reaches its store.
func (a admitted) way(s handover.Settings, set creds.Set) handover.Way {
	w := handover.Way{Settings: s, Root: a.folder.Root(), Set: set, Service: a.Env.Service}
	if w.Order = s.OrderOf(a.s.Orders); w.Order != nil {
		w.Token = a.s.TokenOf(*w.Order).Raw
	}
	return w
}

// conflict returns why the job cannot have a value, as a function of it; empty if it can.
func (a admitted) conflict(h state.Handover, set creds.Set) func(handover.From) string {
	own := variablesOf(set)
	return func(v handover.From) string {
		_, job := a.Env.Request[v.Name]
		switch {
		case own[v.Name] || handover.CheckName(v.Name, h.Taken) != nil:
			return "the credentials of this job have a variable of that name"
		case job:
			return "this job has a variable of that name in GitLab, which would win"
		}
		return ""
	}
}

// variablesOf returns the names of the variables that credentials set.
func variablesOf(set creds.Set) map[string]bool {
	own := map[string]bool{}
	for _, entry := range set.In(func(string) string { return "" }).Environ() {
		name, _, _ := strings.Cut(entry, "=")
		own[name] = true
	}
	return own
}

// none returns why a job does not get a value that nobody has handed over.
func none(s handover.Settings, l handover.Listing) string {
	text := "no job that has ended has handed it over in this pipeline to this tenant and trust class"
	if s.Store == handover.Local {
		text += ", on this host: what jobs on other hosts hand over is not seen here"
	}
	if len(l.Broken) > 0 {
		text += "; what some jobs have handed over cannot be used, see the warnings"
	}
	return text
}

// refuseExpected returns an error if the job expects values that it does not get.
func refuseExpected(got handover.Taken, expected []string, none string) error {
	missing := got.Missing(expected, none)
	if len(missing) == 0 {
		return nil
	}
	var names, why []string
	for _, m := range missing {
		names, why = append(names, m.Name), append(why, m.String())
	}
	return fault.New(fault.NotHandedOver, errors.New("the job expects values that it does not get: "+strings.Join(names, ", ")),
		"let a job of an earlier stage, or one in needs:, write them to the file that "+handover.Out+" or "+handover.SecretOut+" names").
		With("why", strings.Join(why, "\n"))
}

// earlier reports whether an earlier try of the job has handed over something.
func earlier(l handover.Listing, job string) bool {
	return slices.ContainsFunc(l.Parcels, func(p handover.Parcel) bool { return p.Job == job && len(p.Values) > 0 })
}

// asCredential returns what a job takes in the form of a credential.
func asCredential(got handover.Taken, earlier bool) creds.Credential {
	c := creds.Credential{Provider: handover.Provider, Beside: true}
	var values []handover.Value
	for _, v := range got.Values {
		c.Env = append(c.Env, creds.Variable{Name: v.Name, Value: v.Value.Value})
		c.Facts = append(c.Facts, creds.Fact{Name: v.Name, Value: v.Job})
		values = append(values, v.Value)
	}
	if earlier {
		c.Facts = append(c.Facts, creds.Fact{Name: handover.Earlier, Value: "yes"})
	}
	c.Secrets = handover.Secrets(values)
	c.Files = []creds.File{inFile(c.Env)}
	return c
}

// inFile returns the env file of what a job has taken.
func inFile(env []creds.Variable) creds.File {
	return creds.File{Name: "in.env", Variables: []string{handover.In}, Content: mask.NewSecret(creds.EnvLines(env))}
}

// tellTaken writes to the audit log what the job gets, if it gets something. Nothing is given that
// the log does not have.
func (a admitted) tellTaken(h state.Handover, got handover.Taken) error {
	if len(got.Values) == 0 {
		return nil
	}
	var names, from []string
	for _, v := range got.Values {
		names, from = append(names, v.Name), append(from, v.Job)
	}
	slices.Sort(from)
	return a.folder.Record().Audit.Tell(audit.Taken, name, func(e *audit.Event) {
		e.Hand(names, slices.Compact(from))
		e.Store = h.Settings.Store
	})
}
