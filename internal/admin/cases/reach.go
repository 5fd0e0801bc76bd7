package cases

import (
	"fmt"

	"rolecall/internal/tenant"
)

// Reach finds what of a policy no case tests.
type Reach struct {
	policy  *tenant.Policy
	got     map[tenant.Name][]tenant.Claims // of the jobs that are of a tenant
	refused map[string]bool                 // tenant and rule, where that rule alone keeps a job from the tenant
}

// NewReach returns a Reach that has seen no case.
func NewReach(policy *tenant.Policy) *Reach {
	return &Reach{policy, map[tenant.Name][]tenant.Claims{}, map[string]bool{}}
}

// Add counts a job for which a tenant was decided, or none.
func (r *Reach) Add(got string, s tenant.Subject) {
	for _, t := range r.policy.Tenants() {
		if string(t.Name) == got {
			r.got[t.Name] = append(r.got[t.Name], s.Tokens[t.IDToken])
		}
	}
	for _, v := range r.policy.Explain(s) {
		if rule := only(v); rule != "" {
			r.refused[string(v.Tenant)+" "+rule] = true
		}
	}
}

// only returns the rule that alone keeps a job from a tenant; empty if there are none or several.
func only(v tenant.Verdict) string {
	found := ""
	for _, rule := range v.Rules {
		switch {
		case rule.OK:
		case found != "":
			return ""
		default:
			found = rule.Name
		}
	}
	return found
}

// Missing returns what no case tests, a line each: a tenant that no job gets, a pattern that matches
// no job of its tenant, and a rule that alone keeps no job from its tenant.
func (r *Reach) Missing() []string {
	var all []string
	for _, t := range r.policy.Tenants() {
		if len(r.got[t.Name]) == 0 {
			all = append(all, fmt.Sprintf("no case for: tenant %s", t.Name))
			continue
		}
		all = append(all, r.patterns(t)...)
		for _, rule := range rules(t) {
			if !r.refused[string(t.Name)+" "+rule] {
				all = append(all, fmt.Sprintf("no case that only this rule refuses: tenant %s, %s", t.Name, rule))
			}
		}
	}
	return all
}

// patterns returns what Missing does of the patterns of a tenant.
func (r *Reach) patterns(t tenant.Tenant) []string {
	var all []string
	for _, rule := range []struct {
		name     string
		patterns []tenant.Pattern
		of       func(tenant.Claims) string
	}{
		{"projects", t.Projects, func(c tenant.Claims) string { return c.JobProject }},
		{"refs", t.Refs, func(c tenant.Claims) string { return c.Ref }},
		{"environments", t.Environments, func(c tenant.Claims) string { return c.Environment }},
	} {
		for _, p := range rule.patterns {
			if !matched(p, r.got[t.Name], rule.of) {
				all = append(all, fmt.Sprintf("no case for: tenant %s, %s %s", t.Name, rule.name, p))
			}
		}
	}
	return all
}

// matched reports whether a pattern matches one of the jobs.
func matched(p tenant.Pattern, jobs []tenant.Claims, of func(tenant.Claims) string) bool {
	for _, job := range jobs {
		if p.Match(of(job)) {
			return true
		}
	}
	return false
}

// rules returns the rules of a tenant that the policy file sets, and that can refuse a job.
func rules(t tenant.Tenant) []string {
	names := []string{"projects"}
	if len(t.Refs) > 0 {
		names = append(names, "refs")
	}
	if t.Protected {
		names = append(names, "protected")
	}
	if len(t.Environments) > 0 {
		names = append(names, "environments")
	}
	return names
}
