package tenant

import (
	"cmp"
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
func refuse(what, next string) *fault.Error {
	return fault.New(fault.NoTenant, &Refusal{None, "tenant", what}, next)
}

// noDefaults says how a job is without a default ID token. GitLab has no way to refuse
// one default alone: inherit:default is a switch, or a list of what stays.
//
// https://docs.gitlab.com/ci/yaml/#inheritdefault
const noDefaults = "\n  inherit:\n    default: false   # or a list of the defaults that the job keeps"

// refuseMany refuses a job that several tenants allow.
func (s Subject) refuseMany(grants []Grant) error {
	names := make([]string, len(grants))
	for i, g := range grants {
		names[i] = string(g.Tenant)
	}
	slices.Sort(names)
	return refuse("several tenants allow the job", s.many()).
		With("tenants", joinNames(names))
}

// refuseAll refuses a job whose ID tokens no tenant allows. It names no tenant.
func (p *Policy) refuseAll(s Subject, seen *view) error {
	if err := p.refuseAudience(s); err != nil {
		return err
	}
	return refuse(s.here("no tenant of this runner allows this job"), "set "+s.by()+" to learn which rule of a tenant refuses, or ask the runner's admin").
		With("this job", seen.String())
}

// refuseAudience refuses a job whose only ID token is for none of the tenants that read
// it. It returns nil for any other job. Audiences that differ are not told.
func (p *Policy) refuseAudience(s Subject) error {
	var variable, takes string
	for i := range p.tenants {
		t := &p.tenants[i]
		if !t.has(s) {
			continue
		}
		if slices.Contains(s.Tokens[t.IDToken].Audience, t.Audience) || variable != "" && variable != t.IDToken {
			return nil
		}
		if takes != "" && takes != Quote(t.Audience) {
			takes = "others"
		} else {
			takes = Quote(t.Audience)
		}
		variable = t.IDToken
	}
	return refuse(s.foreign(variable, newView(s, s.Tokens[variable]), takes), "give a token for another service a variable of its own under id_tokens:")
}

// foreign says that the token in a variable is for another audience than it must be.
func (s Subject) foreign(variable string, v *view, takes string) string {
	return s.here(fmt.Sprintf("%s is for the audience %s; this runner takes %s", s.token(variable), cmp.Or(strings.Trim(v.audiences(), "[]"), `""`), takes))
}

// refuseEmpty refuses a job that names no tenant, and sets the variable for it.
func refuseEmpty() error {
	return refuse("the job's variable "+Variable+" is empty", "set TENANT to the tenant, or leave it out; a variable of another one is empty where that one is not set, or is protected")
}

// refuseOther refuses a job that requests another tenant than the runner's.
func refuseOther(requested string, pinned Name) error {
	return refuse(fmt.Sprintf("the job asks for tenant %s, this runner serves tenant %q only", Quote(requested), pinned),
		"choose a runner of that tenant by its tags")
}

// refuseUnknown refuses a job that requests a tenant which the runner does not have.
func (s Subject) refuseUnknown() error {
	return refuse(s.here(fmt.Sprintf("this runner has no tenant %s", Quote(s.Requested))), s.unknown())
}

// refuseName refuses a job whose variable TENANT is no name of a tenant.
func refuseName(requested string) error {
	_, err := ParseName(requested)
	return fault.New(fault.BadVariable, fmt.Errorf("TENANT is no name of a tenant: %s", Quote(requested)), "correct TENANT in .gitlab-ci.yml").
		With("rule", err.Error())
}

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
	what := fmt.Sprintf("tenant %q refuses this job: rule %s", t.Name, rule)
	return fault.New(fault.Refused, &Refusal{t.Name, rule, what}, next).With("rule", reason).With("this job", v.String())
}

// reason returns why a rule does not allow a job, and what its author can do.
func (t *Tenant) reason(rule string, s Subject, v *view) (reason, next string) {
	const admin = "or ask the runner's admin"
	switch rule {
	case "audience":
		return s.foreign(t.IDToken, v, Quote(t.Audience)), fmt.Sprintf("set aud: of %s under id_tokens: to %s alone", s.token(t.IDToken), t.Audience)
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
	return "the job's environment is not one of the tenant's", "correct environment: in the job, " + admin
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

// String describes the job: project, ref with its type, protected or not, environment.
func (v *view) String() string {
	protected := "not protected"
	if v.claims.Protected == "true" {
		protected = "protected"
	}
	text := fmt.Sprintf("project %s, ref %s (%s, %s)", v.projects(), Quote(v.claims.Ref), v.kind(), protected)
	if v.claims.Environment != "" {
		text += ", environment " + Quote(v.claims.Environment)
	}
	return text
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
