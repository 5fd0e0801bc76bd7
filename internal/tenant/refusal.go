package tenant

import (
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/fault"
)

// maxNames bounds how many tenants or audiences a message names.
const maxNames = 10

// Refusal is a refusal to give a job the credentials of a tenant. Its text is one
// line and names no tenant that has not allowed the job or was not asked for.
type Refusal struct {
	Tenant Name   // the tenant that was asked for, or None
	Rule   string // key of the policy file; tenant where it could not be told which tenant the job is
	What   string
}

// Error returns what was refused and why.
func (r *Refusal) Error() string { return r.What }

// refuse returns a refusal that is of no tenant.
func refuse(what, next string) error {
	return fault.New(fault.Author, &Refusal{None, "tenant", what}, next)
}

// refuseMany refuses a job that several tenants allow.
func refuseMany(allowing []*Tenant) error {
	names := make([]string, len(allowing))
	for i, t := range allowing {
		names[i] = string(t.Name)
	}
	slices.Sort(names)
	return refuse("several tenants allow the job: "+list(names), "set TENANT to one of them")
}

// refuseToken refuses a job without the token of the tenant.
func (t *Tenant) refuseToken() error { return NoToken(t.Name, t.IDToken, t.Audience) }

// NoToken refuses a job that has no ID token in the variable of that name. Where
// the audience is empty, the role's trust policy knows it.
func NoToken(name Name, variable, audience string) error {
	if audience == "" {
		audience = "https://gitlab.example.com  # the audience that the role's trust policy asks for"
	}
	what := fmt.Sprintf("tenant %q: the job has no ID token in %s", name, variable)
	return fault.New(fault.Author, &Refusal{name, "id_token", what},
		fmt.Sprintf("add to the job in .gitlab-ci.yml\n  id_tokens:\n    %s:\n      aud: %s", variable, audience))
}

// refuse refuses a job that a rule of the tenant does not allow.
func (t *Tenant) refuse(rule string, j Job, s *subject) error {
	reason, next := t.reason(rule, j, s)
	what := fmt.Sprintf("tenant %q refused for %s: rule %s: %s", t.Name, s, rule, reason)
	return fault.New(fault.Author, &Refusal{t.Name, rule, what}, next)
}

// reason returns why a rule does not allow a job, and what its author can do.
func (t *Tenant) reason(rule string, j Job, s *subject) (reason, next string) {
	const admin = "or ask the runner's admin"
	switch rule {
	case "audience":
		return "the token's audience is " + s.got(rule),
			fmt.Sprintf("set aud: of %s under id_tokens: to %s alone", t.IDToken, t.Audience)
	case "projects":
		if s.mismatch {
			return "GitLab says that the job is of project " + Quote(j.Project), "let id_tokens: set the token, " + admin
		}
		if s.claims.Project != s.project {
			return "the project or its fork is not one of the tenant's", "run the pipeline in the project itself, " + admin
		}
		return "the project is not one of the tenant's", "choose the tenant of the project, " + admin
	case "ref_types":
		return "jobs of a ref of type " + Quote(s.claims.RefType) + " are not allowed", "run the job for a ref of another type, " + admin
	case "refs":
		return "the ref is not one of the tenant's", "run the job for a ref that is, " + admin
	case "protected":
		return "the ref is not protected", "protect it under Settings > Repository, " + admin
	}
	if s.claims.Environment == "" {
		return "the job has no environment", "set environment: in the job, " + admin
	}
	return "the job's environment is " + Quote(s.claims.Environment), "correct environment: in the job, " + admin
}

// String describes the job: project, ref with its type, protected or not.
func (s *subject) String() string {
	kind := s.claims.RefType
	if kind != "branch" && kind != "tag" {
		kind = "type " + Quote(kind)
	}
	protected := "not protected"
	if s.claims.Protected == "true" {
		protected = "protected"
	}
	return fmt.Sprintf("project %s, ref %s (%s, %s)", s.projects(), Quote(s.claims.Ref), kind, protected)
}

// list returns the first of some texts, and how many more there are.
func list(texts []string) string {
	if more := len(texts) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(texts[:maxNames], ", "), more)
	}
	return strings.Join(texts, ", ")
}
