package tenant

import (
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/fault"
)

// Job is what is known of a job.
type Job struct {
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

// TokenNames returns the variables whose ID tokens a decision needs, where the job
// has them: that of the tenant which is pinned or else requested, those of all
// where none is, none where there is no such tenant. They are sorted.
func (p *Policy) TokenNames(pinned Name, requested string) []string {
	if pinned == None {
		pinned = Name(requested)
	}
	var names []string
	for i := range p.tenants {
		if t := &p.tenants[i]; pinned == None || pinned == t.Name {
			names = append(names, t.IDToken)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Decide decides which tenant a job is: the one that is pinned, else the one that
// it requests, else the only one whose rules allow it. A job without the token that
// this needs is one of tenant None, unless it requests a tenant or one is required
// for it. An error is a fault.Author with a Refusal, or a fault.Admin.
func (p *Policy) Decide(j Job) (Grant, error) {
	t, err := p.named(j)
	if err != nil {
		return Grant{}, err
	}
	if t == nil {
		return p.choose(j)
	}
	claims, has := j.Tokens[t.IDToken]
	if !has {
		if j.Requested == "" && !t.Required {
			return p.nobody(j)
		}
		return Grant{}, t.refuseToken()
	}
	s := newSubject(j, claims)
	if rule := t.refuses(s); rule != "" {
		return Grant{}, t.refuse(rule, j, s)
	}
	return t.grant(s), nil
}

// named returns the tenant that is pinned or requested, or nil.
func (p *Policy) named(j Job) (*Tenant, error) {
	if j.Pinned != None {
		t := p.find(j.Pinned)
		if t == nil {
			return nil, fault.New(fault.Admin, fmt.Errorf("--tenant %q is not in the policy file", j.Pinned),
				"correct it in the runner's config.toml, or add the tenant to the file")
		}
		if j.Requested != "" && j.Requested != string(j.Pinned) {
			return nil, refuse(fmt.Sprintf("the job asks for tenant %s, this runner serves tenant %q only", Quote(j.Requested), j.Pinned),
				"choose a runner of that tenant by its tags")
		}
		return t, nil
	}
	if j.Requested == "" {
		return nil, nil
	}
	name, err := ParseName(j.Requested)
	if err != nil {
		return nil, refuse("variable TENANT: "+err.Error(), "correct TENANT in .gitlab-ci.yml")
	}
	t := p.find(name)
	if t == nil {
		return nil, refuse(fmt.Sprintf("this runner serves no tenant %q", name), "correct TENANT in .gitlab-ci.yml, or ask the runner's admin")
	}
	return t, nil
}

// choose decides for a job that nobody names a tenant for.
func (p *Policy) choose(j Job) (Grant, error) {
	subjects := map[string]*subject{}
	for name, claims := range j.Tokens {
		subjects[name] = newSubject(j, claims)
	}
	var allowing []*Tenant
	var seen *subject
	for i := range p.tenants {
		t := &p.tenants[i]
		s := subjects[t.IDToken]
		if s == nil {
			continue
		}
		seen = s
		if t.refuses(s) == "" {
			allowing = append(allowing, t)
		}
	}
	switch {
	case len(allowing) == 1:
		return allowing[0].grant(subjects[allowing[0].IDToken]), nil
	case len(allowing) > 1:
		return Grant{}, refuseMany(allowing)
	case seen != nil:
		return Grant{}, refuse(fmt.Sprintf("no tenant of this runner's policy allows %s", seen),
			"set TENANT to learn which rule of a tenant refuses, or ask the runner's admin")
	}
	project := segmentsOf(j.Project)
	for i := range p.tenants {
		if t := &p.tenants[i]; t.Required && matches(t.Projects, project) {
			return Grant{}, t.refuseToken()
		}
	}
	return p.nobody(j)
}

// nobody returns what a job of no tenant gets: no more than a user to run as. Where
// tenants have users of their own it must have one too, since it would be the
// runner's, and that is root.
func (p *Policy) nobody(j Job) (Grant, error) {
	isolated := slices.ContainsFunc(p.tenants, func(t Tenant) bool { return t.RunAs != "" })
	if isolated && p.settings.RunAs == "" {
		return Grant{}, fault.New(fault.Admin, errors.New("the job asks for no tenant, and such jobs have no unix user here"),
			"set run_as at the top of the policy file to a user for them")
	}
	return Grant{Protected: j.Protected, RunAs: p.settings.RunAs}, nil
}

// grant returns what the tenant gives a job that its rules allow.
func (t *Tenant) grant(s *subject) Grant {
	return Grant{
		Tenant:    t.Name,
		IDToken:   t.IDToken,
		Protected: s.claims.Protected == "true",
		RunAs:     t.RunAs,
		Limits:    t.Limits,
		Gifts:     slices.Clone(t.Gifts),
		Why:       t.why(s),
	}
}
