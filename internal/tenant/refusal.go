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
// line. It names only tenants that the job requested or that allow the job.
type Refusal struct {
	Tenant Name   // the pinned or requested tenant, or None
	Rule   string // key of the policy file; "tenant" if no single tenant could be chosen
	What   string
}

// Error returns what was refused and why.
func (r *Refusal) Error() string { return r.What }

// refuse returns a refusal by the policy as a whole, not by one tenant.
func refuse(what, next string) error {
	return fault.New(fault.NoTenant, &Refusal{None, "tenant", what}, next)
}

// refuseMany refuses a job that several tenants allow.
func refuseMany(grants []Grant) error {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = string(g.Tenant)
	}
	slices.Sort(names)
	return refuse("several tenants allow the job: "+joinNames(names), "set TENANT to one of them")
}

// refuseToken refuses a job without the token of the tenant.
func (t *Tenant) refuseToken() error { return NoToken(t.Name, t.IDToken, t.Audience) }

// NoToken refuses a job that has no ID token in the named variable. If audience is
// empty, the advice says that the role's trust policy decides which one is right.
func NoToken(name Name, variable, audience string) error {
	if audience == "" {
		audience = "https://gitlab.example.com  # the audience that the role's trust policy requires"
	}
	what := fmt.Sprintf("tenant %q: the job has no ID token in %s", name, variable)
	return fault.New(fault.NoToken, &Refusal{name, "id_token", what},
		fmt.Sprintf("add to the job in .gitlab-ci.yml\n  id_tokens:\n    %s:\n      aud: %s", variable, audience))
}

// refuse refuses a job that a rule of the tenant does not allow.
func (t *Tenant) refuse(rule string, s Subject, v *view) error {
	reason, next := t.reason(rule, s, v)
	what := fmt.Sprintf("tenant %q refused for %s: rule %s: %s", t.Name, v, rule, reason)
	return fault.New(fault.Refused, &Refusal{t.Name, rule, what}, next)
}

// reason returns why a rule does not allow a job, and what its author can do.
func (t *Tenant) reason(rule string, s Subject, v *view) (reason, next string) {
	const admin = "or ask the runner's admin"
	switch rule {
	case "audience":
		return "the token's audience is " + v.got(rule),
			fmt.Sprintf("set aud: of %s under id_tokens: to %s alone", t.IDToken, t.Audience)
	case "projects":
		reason, next = v.projectReason(s)
		return reason, next + ", " + admin
	case "ref_types":
		return "jobs of a ref of type " + Quote(v.claims.RefType) + " are not allowed", "run the job for a ref of another type, " + admin
	case "refs":
		return "the ref is not one of the tenant's", "run the job for a ref that is, " + admin
	case "protected":
		return "the ref is not protected", "protect it under Settings > Repository, " + admin
	}
	if v.claims.Environment == "" {
		return "the job has no environment", "set environment: in the job, " + admin
	}
	return "the job's environment is " + Quote(v.claims.Environment), "correct environment: in the job, " + admin
}

// projectReason returns why the rule projects does not allow the job of s, and what its
// author can do.
func (v *view) projectReason(s Subject) (reason, next string) {
	switch {
	case v.mismatch:
		return "GitLab says that the job is of project " + Quote(s.Project), "let id_tokens: set the token"
	case v.claims.Project != v.project:
		return "the project or its fork is not one of the tenant's", "run the pipeline in the project itself"
	}
	return "the project is not one of the tenant's", "choose the tenant of the project"
}

// String describes the job: project, ref with its type, protected or not.
func (v *view) String() string {
	protected := "not protected"
	if v.claims.Protected == "true" {
		protected = "protected"
	}
	return fmt.Sprintf("project %s, ref %s (%s, %s)", v.projects(), Quote(v.claims.Ref), v.kind(), protected)
}

// kind names the type of the job's ref; an unknown type is in quotes.
func (v *view) kind() string {
	kind := v.claims.RefType
	if kind != "branch" && kind != "tag" {
		kind = "type " + Quote(kind)
	}
	return kind
}

// joinNames joins the first maxNames texts, and says how many more there are.
func joinNames(texts []string) string {
	if more := len(texts) - maxNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(texts[:maxNames], ", "), more)
	}
	return strings.Join(texts, ", ")
}
