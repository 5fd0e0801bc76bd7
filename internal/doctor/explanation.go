package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/admission"
	"rolecall/internal/tenant"
)

// maxVerdicts bounds how many tenants a table shows where the job names none.
const maxVerdicts = 10

// explanation is what would be decided for a job, and why.
type explanation struct {
	Allowed   bool     `json:"allowed"`
	Side      string   `json:"side,omitempty"`    // who must act on a refusal
	Refusal   string   `json:"refusal,omitempty"` // as the job log has it
	Tenant    string   `json:"tenant,omitempty"`
	Role      string   `json:"role,omitempty"`
	Region    string   `json:"region,omitempty"`
	Duration  string   `json:"duration,omitempty"` // the longest session
	Signature string   `json:"signature"`
	Notes     []string `json:"notes,omitempty"`
	Rules     []rule   `json:"rules"`
}

// rule is one rule of a tenant, held against the job.
type rule struct {
	Tenant string `json:"tenant"`
	Rule   string `json:"rule"`
	Want   string `json:"policy"`
	Got    string `json:"job"`
	OK     bool   `json:"ok"`
}

// rules returns what the tenants' rules say of the job: those of the tenant that runner
// or job name, else of those with the fewest rules against it. A job whose tokens could
// not be read has none.
func rules(c admission.Case, j tenant.Subject) []rule {
	if c.Policy == nil || j.Tokens == nil {
		return nil
	}
	verdicts := c.Policy.Explain(j)
	named := j.Requested
	if c.Pinned != tenant.None {
		named = string(c.Pinned)
	}
	if named != "" {
		verdicts = slices.DeleteFunc(verdicts, func(v tenant.Verdict) bool { return string(v.Tenant) != named })
	}
	slices.SortStableFunc(verdicts, func(a, b tenant.Verdict) int { return broken(a) - broken(b) })
	var all []rule
	for _, v := range verdicts[:min(len(verdicts), maxVerdicts)] {
		for _, r := range v.Rules {
			all = append(all, rule{string(v.Tenant), r.Name, r.Want, r.Got, r.OK})
		}
	}
	return all
}

// broken returns how many rules of a tenant are against the job.
func broken(v tenant.Verdict) int {
	n := 0
	for _, r := range v.Rules {
		if !r.OK {
			n++
		}
	}
	return n
}

// String returns the explanation for people.
func (e explanation) String() string {
	var text strings.Builder
	switch {
	case !e.Allowed:
		fmt.Fprintf(&text, "refused [%s]: %s\n", e.Side, e.Refusal)
	case e.Tenant == "":
		text.WriteString("allowed: no tenant, the job runs without credentials\n")
	default:
		fmt.Fprintf(&text, "allowed: tenant %s, role %s, region %s, sessions of %s\n", e.Tenant, e.Role,
			cmp.Or(e.Region, "of the runner's service"), cmp.Or(e.Duration, "the job's timeout"))
	}
	fmt.Fprintf(&text, "signature: %s\n", e.Signature)
	for _, note := range e.Notes {
		fmt.Fprintf(&text, "note: %s\n", note)
	}
	if len(e.Rules) == 0 {
		return text.String()
	}
	rows := [][]string{{"TENANT", "RULE", "THE POLICY SAYS", "THE JOB HAS", "OK"}}
	for _, r := range e.Rules {
		rows = append(rows, []string{r.Tenant, r.Rule, r.Want, r.Got, map[bool]string{true: "yes", false: "NO"}[r.OK]})
	}
	return text.String() + "\n" + table(rows)
}
