package sketch

import (
	"cmp"
	"slices"
	"strings"

	"rolecall/internal/tenant"
)

// tokens are the audiences of ID tokens, by the names of their variables.
type tokens map[string][]string

// audiences returns the audiences of the job's ID tokens: those that the policy file wants. The
// token of a tenant has one audience. That of a source may have several, so that it fits whichever
// tenant the job is.
func (j Job) audiences(policy *tenant.Policy) (tokens, error) {
	all, sources := tokens{}, tokens{}
	for _, t := range j.tenants(policy) {
		all[t.IDToken] = append(all[t.IDToken], t.Audience)
		for _, g := range t.Gifts {
			if g.IDToken != "" {
				sources[g.IDToken] = append(sources[g.IDToken], g.Audience)
			}
		}
	}
	for variable, wanted := range all {
		one, err := j.choose(variable, wanted)
		if err != nil {
			return nil, err
		}
		sources[variable] = []string{one}
	}
	return sources, nil
}

// tenants returns the tenants whose ID tokens the job has: the one that the runner or the job
// names, else all.
func (j Job) tenants(policy *tenant.Policy) []tenant.Tenant {
	all, named := policy.Tenants(), j.named()
	if i := slices.IndexFunc(all, func(t tenant.Tenant) bool { return t.Name == named }); i >= 0 {
		return all[i : i+1]
	}
	return all
}

// named returns the tenant that the runner or the job names.
func (j Job) named() tenant.Name {
	if j.Tenant == nil {
		return j.Runner
	}
	return cmp.Or(j.Runner, tenant.Name(*j.Tenant))
}

// choose returns the one audience of the token in a variable.
func (j Job) choose(variable string, wanted []string) (string, error) {
	if j.Audience != "" {
		return j.Audience, nil
	}
	slices.Sort(wanted)
	if wanted = slices.Compact(wanted); len(wanted) > 1 {
		return "", wrong("aud", "it is missing: the tenants want %s of %s; say which one the job's ID token has, or which tenant the job asks for",
			strings.Join(wanted, " or "), variable)
	}
	return wanted[0], nil
}
