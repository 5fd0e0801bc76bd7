package tenant

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/fault"
)

// Subject is what is known of a job whose tenant is decided.
type Subject struct {
	Pinned    Name              // --tenant; None where the runner has none
	Requested string            // the job's TENANT; a request
	Named     bool              // whether the job has a variable TENANT, be it empty
	Project   string            // path of the project that runs the job, as GitLab sent it; empty on old servers
	Protected bool              // whether its ref is protected, as GitLab sent it
	Tokens    map[string]Claims // of its ID tokens, by the name of their variables
	Bearer    bool              // the job is known by its ID token alone: messages must not speak of its variables
}

// Claims are what an ID token says of a job, as texts.
type Claims struct {
	Audience    []string
	Project     string // project_path: of a fork's merge request, the fork
	JobProject  string // job_project_path: the project that runs the job; empty on old servers
	Ref         string
	RefType     string
	Protected   string // ref_protected: "true" or "false"
	Environment string
}

// TokenNames returns the variables of the ID tokens that a decision reads, sorted. The
// job need not have them all. If a tenant is pinned, only this tenant's variable
// counts; else, if the job requests a tenant of the policy, this tenant's; else the
// variables of all tenants.
func (p *Policy) TokenNames(pinned Name, requested string) []string {
	var names []string
	only := cmp.Or(pinned, p.known(requested))
	for i := range p.tenants {
		if t := &p.tenants[i]; only == None || only == t.Name {
			names = append(names, t.IDToken)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// known returns the tenant of the policy that has that name, or None.
func (p *Policy) known(name string) Name {
	if p.find(Name(name)) == nil {
		return None
	}
	return Name(name)
}

// Decide decides which tenant a job is: the pinned tenant, else the tenant that the
// job requests, else the single tenant whose rules allow the job.
//
// A job that requests no tenant and needs none gets tenant None: without the ID token
// that the rules need, with one that they do not allow, or with an empty variable
// TENANT. Then Grant.Unserved says why, unless the job has no token at all. So does a job
// whose TENANT the policy does not have, if no ID token of it is for a tenant's audience,
// or if the policy says so. A tenant may require that its jobs get its credentials.
//
// An error is a fault.Author with a Refusal, or a fault.Admin.
func (p *Policy) Decide(s Subject) (Grant, error) {
	pinned, requested := p.find(s.Pinned), p.find(Name(s.Requested))
	switch {
	case s.Pinned != None && pinned == nil:
		return Grant{}, fault.New(fault.BadPolicy, fmt.Errorf("--tenant %q is not in the policy file", s.Pinned),
			"correct it in the runner's config.toml, or add the tenant to the file")
	case s.Requested == "" && s.Named:
		return p.unserved(s, refuseEmpty())
	case s.Requested == "" && pinned == nil:
		return p.choose(s)
	case s.Requested == "":
		return p.pinned(pinned, s)
	case requested == nil:
		return p.unknown(s)
	case pinned != nil && pinned != requested:
		return Grant{}, refuseOther(s.Requested, s.Pinned)
	}
	return requested.judge(s)
}

// pinned decides about a job that requests no tenant, on a runner of the tenant t.
func (p *Policy) pinned(t *Tenant, s Subject) (Grant, error) {
	g, err := t.judge(s)
	switch {
	case err == nil || t.Required:
		return g, err
	case !t.has(s):
		return p.noTenant(s)
	}
	return p.unserved(s, err)
}

// unknown decides about a job that requests a tenant which the policy does not have. Its
// variable TENANT may mean something else.
func (p *Policy) unknown(s Subject) (Grant, error) {
	why := s.refuseUnknown()
	if !p.settings.UnknownNone && p.meant(s) {
		return Grant{}, why
	}
	return p.unserved(s, why)
}

// meant reports whether an ID token of the job is for the audience of a tenant that reads
// it.
func (p *Policy) meant(s Subject) bool {
	return slices.ContainsFunc(p.tenants, func(t Tenant) bool {
		return slices.Contains(s.Tokens[t.IDToken].Audience, t.Audience)
	})
}

// choose decides if neither the runner nor the job names a tenant.
func (p *Policy) choose(s Subject) (Grant, error) {
	grants, seen := p.allowing(s)
	switch {
	case len(grants) == 1:
		return grants[0], nil
	case len(grants) > 1:
		return Grant{}, s.refuseMany(grants)
	}
	if t := p.requiring(s); t != nil {
		return t.judge(s)
	}
	if seen == nil {
		return p.noTenant(s)
	}
	return p.unserved(s, p.refuseAll(s, seen))
}

// judge returns the grant of a job that has the tenant's token and is allowed by its
// rules.
func (t *Tenant) judge(s Subject) (Grant, error) {
	if !t.has(s) {
		return Grant{}, NoToken(t.Name, t.IDToken, t.Audience)
	}
	v := newView(s, s.Tokens[t.IDToken])
	if rule := t.refuses(v); rule != "" {
		return Grant{}, t.refuse(rule, s, v)
	}
	return t.grant(v), nil
}

// has reports whether a job has the tenant's ID token.
func (t *Tenant) has(s Subject) bool {
	_, has := s.Tokens[t.IDToken]
	return has
}

// allowing returns the grants of all tenants whose rules allow the job. The view shows
// the job by one of the tokens that were judged; it is nil if no tenant's token is
// there.
func (p *Policy) allowing(s Subject) (grants []Grant, seen *view) {
	views := map[string]*view{}
	for name, claims := range s.Tokens {
		views[name] = newView(s, claims)
	}
	for i := range p.tenants {
		t := &p.tenants[i]
		v := views[t.IDToken]
		if v == nil {
			continue
		}
		seen = v
		if t.refuses(v) == "" {
			grants = append(grants, t.grant(v))
		}
	}
	return grants, seen
}

// requiring returns the first tenant that the job must be of, or nil: the pinned one, or
// one that has the job's project, by what GitLab sent or by a token.
func (p *Policy) requiring(s Subject) *Tenant {
	projects := [][]string{segmentsOf(s.Project)}
	for _, claims := range s.Tokens {
		projects = append(projects, newView(s, claims).runs)
	}
	for i := range p.tenants {
		t := &p.tenants[i]
		has := func(project []string) bool { return matches(t.Projects, project) }
		if t.Required && (t.Name == s.Pinned || s.Pinned == None && slices.ContainsFunc(projects, has)) {
			return t
		}
	}
	return nil
}

// unserved returns what a job without a tenant gets that could have meant to have one.
// Why is the refusal of the tenant: it becomes the error if a tenant requires the job, or
// if no job may be without a tenant.
func (p *Policy) unserved(s Subject, why error) (Grant, error) {
	g, err := p.noTenant(s)
	if err != nil || p.requiring(s) != nil {
		return Grant{}, why
	}
	g.Unserved = why
	return g, nil
}

// noTenant returns what a job without a tenant gets: a unix user to run as with its
// limits, and nothing else. If the tenants have unix users, this job needs one as well: it would
// otherwise run as the runner's user, which is root.
func (p *Policy) noTenant(s Subject) (Grant, error) {
	isolated := slices.ContainsFunc(p.tenants, func(t Tenant) bool { return t.RunAs != "" })
	if isolated && p.settings.RunAs == "" {
		return Grant{}, fault.New(fault.RootScripts, errors.New("the job asks for no tenant, and the policy file names no unix user for such jobs"),
			"set run_as at the top of the policy file to a user for them")
	}
	return Grant{Protected: s.Protected, RunAs: p.settings.RunAs, Limits: p.settings.Limits, Images: p.settings.Images.Clone()}, nil
}

// grant returns what the tenant gives a job that its rules allow.
func (t *Tenant) grant(v *view) Grant {
	return Grant{
		Tenant:    t.Name,
		IDToken:   t.IDToken,
		Protected: v.claims.Protected == "true",
		RunAs:     t.RunAs,
		Limits:    t.Limits,
		Requests:  t.MaxRequests,

		MaxTokenAge: t.MaxTokenAge,

		Images:   t.Images.Clone(),
		Handover: t.Handover.Clone(),
		Gifts:    slices.Clone(t.Gifts),
		Why:      t.why(v),
	}
}
