package tenant

import (
	"slices"
	"strings"
)

// subject is a job as the rules of tenants see it, by one of its tokens.
type subject struct {
	claims      Claims
	project     string   // path of the project that runs the job
	mismatch    bool     // the token names another project than GitLab does
	source      []string // segments of project_path
	runs        []string // segments of project
	ref         []string
	environment []string
}

// newSubject returns the subject of a job and a token of it.
func newSubject(j Job, c Claims) *subject {
	project := c.JobProject
	if project == "" { // an old server: project_path is that of the project that runs the job
		project = c.Project
	}
	return &subject{
		claims:      c,
		project:     project,
		mismatch:    j.Project != "" && j.Project != project,
		source:      segmentsOf(c.Project),
		runs:        segmentsOf(project),
		ref:         segmentsOf(c.Ref),
		environment: segmentsOf(c.Environment),
	}
}

// ruleNames returns the keys of a policy file that are rules, in the order in which
// they are held against a job.
func ruleNames() [6]string {
	return [...]string{"audience", "projects", "ref_types", "refs", "protected", "environments"}
}

// holds reports whether a rule of the tenant allows the subject.
func (t *Tenant) holds(rule string, s *subject) bool {
	switch rule {
	case "audience":
		return len(s.claims.Audience) == 1 && s.claims.Audience[0] == t.Audience
	case "projects":
		return !s.mismatch && matches(t.Projects, s.source) && matches(t.Projects, s.runs)
	case "ref_types":
		return slices.Contains(t.RefTypes, s.claims.RefType)
	case "refs":
		return len(t.Refs) == 0 || matches(t.Refs, s.ref)
	case "protected":
		return !t.Protected || s.claims.Protected == "true"
	case "environments":
		return len(t.Environments) == 0 || matches(t.Environments, s.environment)
	}
	return false
}

// refuses returns the first rule of the tenant that does not allow the subject, or
// an empty text.
func (t *Tenant) refuses(s *subject) string {
	for _, rule := range ruleNames() {
		if !t.holds(rule, s) {
			return rule
		}
	}
	return ""
}

// matches reports whether one of the patterns matches.
func matches(patterns []Pattern, value []string) bool { return matching(patterns, value) >= 0 }

// matching returns the first of the patterns that matches, or -1.
func matching(patterns []Pattern, value []string) int {
	return slices.IndexFunc(patterns, func(p Pattern) bool { return p.match(value) })
}

// why returns what of the tenant's rules allowed the subject.
func (t *Tenant) why(s *subject) string {
	text := "projects " + t.Projects[matching(t.Projects, s.runs)].text
	if source := t.Projects[matching(t.Projects, s.source)].text; s.claims.Project != s.project {
		text += " and " + source
	}
	text += "; ref_types " + s.claims.RefType
	if i := matching(t.Refs, s.ref); i >= 0 {
		text += "; refs " + t.Refs[i].text
	}
	if t.Protected {
		text += "; protected"
	}
	if i := matching(t.Environments, s.environment); i >= 0 {
		text += "; environments " + t.Environments[i].text
	}
	return text
}

// Verdict is what the rules of one tenant say of a job.
type Verdict struct {
	Tenant Name
	Allows bool
	Rules  []Rule
}

// Rule is one rule of a tenant, held against a job.
type Rule struct {
	Name string // key of the policy file
	Want string // what the file says
	Got  string // what the job has; what comes from outside is in quotes
	OK   bool
}

// Explain holds the rules of every tenant against a job, in the order of the file,
// those after the first that fails too. The rule id_token is whether the job has
// the tenant's token. Pinned and Requested count for nothing: which tenant it will
// be is for Decide.
func (p *Policy) Explain(j Job) []Verdict {
	verdicts := make([]Verdict, 0, len(p.tenants))
	for i := range p.tenants {
		t := &p.tenants[i]
		claims, has := j.Tokens[t.IDToken]
		got := "no token"
		if has {
			got = "a token"
		}
		s := newSubject(j, claims)
		v := Verdict{Tenant: t.Name, Allows: has, Rules: []Rule{{"id_token", t.IDToken, got, has}}}
		for _, rule := range ruleNames() {
			ok := has && t.holds(rule, s)
			v.Rules = append(v.Rules, Rule{rule, t.want(rule), s.got(rule), ok})
			v.Allows = v.Allows && ok
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// want returns what a rule of the tenant asks for.
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
	texts := make([]string, len(patterns))
	for i, p := range patterns {
		texts[i] = p.text
	}
	return strings.Join(texts, ", ")
}

// got returns what the subject has that a rule looks at.
func (s *subject) got(rule string) string {
	switch rule {
	case "audience":
		texts := make([]string, len(s.claims.Audience))
		for i, a := range s.claims.Audience {
			texts[i] = Quote(a)
		}
		return "[" + list(texts) + "]"
	case "projects":
		return s.projects()
	case "ref_types":
		return Quote(s.claims.RefType)
	case "refs":
		return Quote(s.claims.Ref)
	case "protected":
		return Quote(s.claims.Protected)
	}
	return Quote(s.claims.Environment)
}

// projects names the project that runs the job, and the fork that it is for.
func (s *subject) projects() string {
	if s.claims.Project == s.project {
		return Quote(s.project)
	}
	return Quote(s.project) + " for the fork " + Quote(s.claims.Project)
}
