package tenant

import (
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/fault"
)

// Subject is what is known of a job whose tenant is decided.
type Subject struct {
	Pinned    Name              // --tenant; None where the runner has none
	Requested string            // the job's TENANT; a request
	Project   string            // path of the project that runs the job, as GitLab sent it; empty on old servers
	Protected bool              // whether its ref is protected, as GitLab sent it
	Tokens    map[string]Claims // of its ID tokens, by the name of their variables
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
// counts; else, if one is requested, the requested tenant's; else the variables of all
// tenants. An unknown tenant has no variable.
func (p *Policy) TokenNames(pinned Name, requested string) []string {
	if pinned == None {
		pinned = Name(requested)
	}
	names := p.tokensOf(pinned)
	slices.Sort(names)
	return slices.Compact(names)
}

// tokensOf returns the variable of the named tenant's ID token, or of each tenant's if
// name is None.
func (p *Policy) tokensOf(name Name) []string {
	var names []string
	for i := range p.tenants {
		if t := &p.tenants[i]; name == None || name == t.Name {
			names = append(names, t.IDToken)
		}
	}
	return names
}

// Decide decides which tenant a job is: the pinned tenant, else the tenant that the
// job requests, else the single tenant whose rules allow the job. A job without the ID
// token that the rules need gets tenant None, unless the job requests a tenant or a
// tenant requires its jobs to have one. An error is a fault.Author with a Refusal, or
// a fault.Admin.
func (p *Policy) Decide(s Subject) (Grant, error) {
	t, err := p.named(s)
	if err != nil {
		return Grant{}, err
	}
	if t == nil {
		return p.choose(s)
	}
	claims, has := s.Tokens[t.IDToken]
	if !has {
		if s.Requested == "" && !t.Required {
			return p.noTenant(s)
		}
		return Grant{}, t.refuseToken()
	}
	v := newView(s, claims)
	if rule := t.refuses(v); rule != "" {
		return Grant{}, t.refuse(rule, s, v)
	}
	return t.grant(v), nil
}

// named returns the pinned or else the requested tenant, or nil without either.
func (p *Policy) named(s Subject) (*Tenant, error) {
	switch {
	case s.Pinned != None:
		return p.pinned(s)
	case s.Requested != "":
		return p.requested(s)
	}
	return nil, nil
}

// pinned returns the tenant of --tenant. The job must not request another one.
func (p *Policy) pinned(s Subject) (*Tenant, error) {
	t := p.find(s.Pinned)
	if t == nil {
		return nil, fault.New(fault.BadPolicy, fmt.Errorf("--tenant %q is not in the policy file", s.Pinned),
			"correct it in the runner's config.toml, or add the tenant to the file")
	}
	if s.Requested != "" && s.Requested != string(s.Pinned) {
		return nil, refuse(fmt.Sprintf("the job asks for tenant %s, this runner serves tenant %q only", Quote(s.Requested), s.Pinned),
			"choose a runner of that tenant by its tags")
	}
	return t, nil
}

// requested returns the tenant that the job's variable TENANT names.
func (p *Policy) requested(s Subject) (*Tenant, error) {
	name, err := ParseName(s.Requested)
	if err != nil {
		return nil, refuse("variable TENANT: "+err.Error(), "correct TENANT in .gitlab-ci.yml")
	}
	t := p.find(name)
	if t == nil {
		return nil, refuse(fmt.Sprintf("this runner serves no tenant %q", name), "correct TENANT in .gitlab-ci.yml, or ask the runner's admin")
	}
	return t, nil
}

// choose decides if neither the runner nor the job names a tenant.
func (p *Policy) choose(s Subject) (Grant, error) {
	grants, seen := p.allowing(s)
	switch {
	case len(grants) == 1:
		return grants[0], nil
	case len(grants) > 1:
		return Grant{}, refuseMany(grants)
	case seen != nil:
		return Grant{}, refuse(fmt.Sprintf("no tenant of this runner's policy allows %s", seen),
			"set TENANT to learn which rule of a tenant refuses, or ask the runner's admin")
	}
	if t := p.requiring(s); t != nil {
		return Grant{}, t.refuseToken()
	}
	return p.noTenant(s)
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

// requiring returns the first tenant that the jobs of this project must have a token
// for, or nil.
func (p *Policy) requiring(s Subject) *Tenant {
	project := segmentsOf(s.Project)
	for i := range p.tenants {
		if t := &p.tenants[i]; t.Required && matches(t.Projects, project) {
			return t
		}
	}
	return nil
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
	return Grant{Protected: s.Protected, RunAs: p.settings.RunAs, Limits: p.settings.Limits}, nil
}

// grant returns what the tenant gives a job that its rules allow.
func (t *Tenant) grant(v *view) Grant {
	return Grant{
		Tenant:    t.Name,
		IDToken:   t.IDToken,
		Protected: v.claims.Protected == "true",
		RunAs:     t.RunAs,
		Limits:    t.Limits,
		Gifts:     slices.Clone(t.Gifts),
		Why:       t.why(v),
	}
}
