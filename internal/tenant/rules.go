package tenant

import (
	"slices"
	"strings"
)

// view is a job as the rules of a tenant see it, through one of the job's ID tokens.
type view struct {
	claims      Claims
	project     string   // path of the project that runs the job
	mismatch    bool     // the token names another project than GitLab does
	source      []string // segments of project_path
	runs        []string // segments of project
	ref         []string
	environment []string
}

// newView returns the view of a job through the token with the claims c.
func newView(s Subject, c Claims) *view {
	project := c.JobProject
	if project == "" { // an old server: project_path names the project that runs the job
		project = c.Project
	}
	return &view{
		claims:      c,
		project:     project,
		mismatch:    s.Project != "" && s.Project != project,
		source:      segmentsOf(c.Project),
		runs:        segmentsOf(project),
		ref:         segmentsOf(c.Ref),
		environment: segmentsOf(c.Environment),
	}
}

// ruleNames returns the keys of a policy file that are rules, in the order in which a
// job is checked against them.
func ruleNames() [6]string {
	return [...]string{"audience", "projects", "ref_types", "refs", "protected", "environments"}
}

// holds reports whether a rule of the tenant allows the job.
func (t *Tenant) holds(rule string, v *view) bool {
	switch rule {
	case "audience":
		return len(v.claims.Audience) == 1 && v.claims.Audience[0] == t.Audience
	case "projects":
		return !v.mismatch && matches(t.Projects, v.source) && matches(t.Projects, v.runs)
	case "ref_types":
		return slices.Contains(t.RefTypes, v.claims.RefType)
	case "refs":
		return len(t.Refs) == 0 || matches(t.Refs, v.ref)
	case "protected":
		return !t.Protected || v.claims.Protected == "true"
	case "environments":
		return len(t.Environments) == 0 || matches(t.Environments, v.environment)
	}
	return false
}

// refuses returns the first rule of the tenant that does not allow the job, or an
// empty text.
func (t *Tenant) refuses(v *view) string {
	for _, rule := range ruleNames() {
		if !t.holds(rule, v) {
			return rule
		}
	}
	return ""
}

// matches reports whether one of the patterns matches.
func matches(patterns []Pattern, value []string) bool { return matching(patterns, value) >= 0 }

// matching returns the index of the first pattern that matches, or -1.
func matching(patterns []Pattern, value []string) int {
	return slices.IndexFunc(patterns, func(p Pattern) bool { return p.match(value) })
}

// why names the rules, and of each rule the pattern, that allowed the job.
func (t *Tenant) why(v *view) string {
	text := t.whyProjects(v) + "; ref_types " + v.claims.RefType
	if i := matching(t.Refs, v.ref); i >= 0 {
		text += "; refs " + t.Refs[i].text
	}
	if t.Protected {
		text += "; protected"
	}
	if i := matching(t.Environments, v.environment); i >= 0 {
		text += "; environments " + t.Environments[i].text
	}
	return text
}

// whyProjects names the pattern of the project that runs the job, and of its fork.
func (t *Tenant) whyProjects(v *view) string {
	text := "projects " + t.Projects[matching(t.Projects, v.runs)].text
	if v.claims.Project != v.project {
		text += " and " + t.Projects[matching(t.Projects, v.source)].text
	}
	return text
}

// Verdict is what the rules of one tenant say about a job.
type Verdict struct {
	Tenant Name
	Allows bool
	Rules  []Rule
}

// Rule is the answer of one rule of a tenant about a job.
type Rule struct {
	Name string // key of the policy file
	Want string // what the file says
	Got  string // what the job has; text that the job chose is in quotes
	OK   bool
}

// Explain checks a job against all rules of every tenant, in the order of the file,
// and goes on after a rule that refuses the job. The rule id_token says whether the job
// has the tenant's token. Explain ignores Pinned and Requested: only Decide says which
// tenant the job is.
func (p *Policy) Explain(s Subject) []Verdict {
	verdicts := make([]Verdict, 0, len(p.tenants))
	for i := range p.tenants {
		verdicts = append(verdicts, p.tenants[i].explain(s))
	}
	return verdicts
}

// explain checks a job against all rules of the tenant.
func (t *Tenant) explain(s Subject) Verdict {
	claims, has := s.Tokens[t.IDToken]
	got := "no token"
	if has {
		got = "a token"
	}
	v := newView(s, claims)
	verdict := Verdict{Tenant: t.Name, Allows: has, Rules: []Rule{{"id_token", t.IDToken, got, has}}}
	for _, rule := range ruleNames() {
		ok := has && t.holds(rule, v)
		verdict.Rules = append(verdict.Rules, Rule{rule, t.want(rule), v.got(rule), ok})
		verdict.Allows = verdict.Allows && ok
	}
	return verdict
}

// want returns what a rule of the tenant requires.
func (t *Tenant) want(rule string) string {
	switch rule {
	case "audience":
		return t.Audience
	case "projects":
		return anyOf(t.Projects)
	case "ref_types":
		return strings.Join(t.RefTypes, ", ")
	case "refs":
		return anyOf(t.Refs)
	case "environments":
		return anyOf(t.Environments)
	}
	if t.Protected {
		return "true"
	}
	return "any"
}

// anyOf returns the patterns of a rule as a text.
func anyOf(patterns []Pattern) string {
	if len(patterns) == 0 {
		return "any"
	}
	return strings.Join(textsOf(patterns), ", ")
}

// textsOf returns the texts of patterns.
func textsOf(patterns []Pattern) []string {
	texts := make([]string, len(patterns))
	for i, p := range patterns {
		texts[i] = p.text
	}
	return texts
}

// got returns what the job has that a rule looks at.
func (v *view) got(rule string) string {
	switch rule {
	case "audience":
		return v.audiences()
	case "projects":
		return v.projects()
	case "ref_types":
		return Quote(v.claims.RefType)
	case "refs":
		return Quote(v.claims.Ref)
	case "protected":
		return Quote(v.claims.Protected)
	}
	return Quote(v.claims.Environment)
}

// audiences returns the audiences of the job's token as a list.
func (v *view) audiences() string {
	texts := make([]string, len(v.claims.Audience))
	for i, a := range v.claims.Audience {
		texts[i] = Quote(a)
	}
	return "[" + joinNames(texts) + "]"
}

// projects names the project that runs the job, and the fork whose merge request it
// is for.
func (v *view) projects() string {
	if v.claims.Project == v.project {
		return Quote(v.project)
	}
	return Quote(v.project) + " for the fork " + Quote(v.claims.Project)
}
