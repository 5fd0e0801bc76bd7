package cases

import (
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/admission"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// broken is what is decided where the policy file itself is wrong: nobody can expect it.
const broken = "error"

// Result is what was decided for a case.
type Result struct {
	Name   string `json:"name"`
	Line   int    `json:"line"`
	OK     bool   `json:"ok"`
	Expect string `json:"expect"`
	Got    string `json:"decided"`        // a tenant, none, refused or error
	Rule   string `json:"rule,omitempty"` // that has refused the job, or has kept it from a tenant
	Role   string `json:"role,omitempty"`
	Why    string `json:"why"`              // the patterns that have allowed the job, or the refusal
	Wrong  string `json:"wrong,omitempty"`  // what differs from what the case expects
	Sub    string `json:"sub"`              // the claim that AWS judges
	Code   string `json:"code,omitempty"`   // of the refusal, in docs/errors.md
	Asked  string `json:"tenant,omitempty"` // that refuses
}

// Decider completes a case of admission, and decides.
type Decider func(admission.Case) (admission.Decision, error)

// Run decides about a case. The subject is the job as the rules saw it.
func (c Case) Run(policy *tenant.Policy, decide Decider) (Result, tenant.Subject) {
	r := Result{Name: c.Name, Line: c.Line, Expect: c.Expect, Sub: c.Job.Subject()}
	sketched, err := c.Job.Case(policy)
	var d admission.Decision
	if err == nil {
		d, err = decide(sketched)
	}
	switch {
	case err != nil:
		r.Got = Refused
		r.refuse(err)
	case d.Grant.Tenant == tenant.None:
		r.Got, r.Why = Nobody, "the job asks for no tenant"
		if d.Grant.Unserved != nil {
			r.refuse(d.Grant.Unserved)
		}
	default:
		r.Got, r.Why, r.Role = string(d.Grant.Tenant), d.Grant.Why, roleOf(d)
	}
	r.Wrong = r.differs(c)
	r.OK = r.Wrong == ""
	return r, d.Subject
}

// refuse puts a refusal into the result. An error about the policy file itself is none.
func (r *Result) refuse(err error) {
	code := fault.CodeOf(err)
	if code == fault.BadPolicy || code == fault.Programs || code == fault.Unexpected {
		r.Got = broken
	}
	r.Code, r.Why = string(code), lineOf(err)
	if refusal, ok := errors.AsType[*tenant.Refusal](err); ok {
		r.Rule, r.Asked = refusal.Rule, string(refusal.Tenant)
	}
}

// lineOf returns a refusal on a line, with the row that says why.
func lineOf(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*fault.Error](err); ok {
		text = e.What.Error()
	}
	for _, row := range fault.Rows(err) {
		if row.Label == "rule" || row.Label == "why" || row.Label == "tenants" {
			text += ": " + row.Text
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

// roleOf returns the role of AWS that a job gets, the tenant's own.
func roleOf(d admission.Decision) string {
	if len(d.Orders) == 0 || d.Orders[0].Name != "" {
		return ""
	}
	return d.Orders[0].Facts.Get(aws.RoleFact)
}

// differs returns how the result differs from what the case expects.
func (r *Result) differs(c Case) string {
	switch {
	case r.Got != c.Expect:
		return fmt.Sprintf("want %s, got %s", c.Expect, r.Got)
	case c.Rule != "" && r.Rule != c.Rule:
		return fmt.Sprintf("want the rule %s, got %s", c.Rule, named(r.Rule))
	case c.Role != "" && r.Role != c.Role:
		return fmt.Sprintf("want the role %s, got %s", c.Role, named(r.Role))
	}
	return ""
}

// named returns a text, or none for an empty one.
func named(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
