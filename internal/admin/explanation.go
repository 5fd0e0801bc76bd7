package admin

import (
	"cmp"
	"fmt"
	"slices"

	"rolecall/internal/admission"
	"rolecall/internal/tenant"
)

// maxVerdicts bounds how many tenants a table shows if the job names none.
const maxVerdicts = 10

// explanation is what would be decided for a job, and why.
type explanation struct {
	Allowed   bool     `json:"allowed"`
	Side      string   `json:"side,omitempty"`    // who must act on a refusal
	Refusal   string   `json:"refusal,omitempty"` // the error in the job log
	Tenant    string   `json:"tenant,omitempty"`
	Role      string   `json:"role,omitempty"`
	Region    string   `json:"region,omitempty"`
	Duration  string   `json:"duration,omitempty"` // the longest session
	Given     []given  `json:"given,omitempty"`
	Requests  uint64   `json:"max_requests_per_minute,omitempty"` // of the tenant and project, on a host; how many there were is not known
	Image     string   `json:"image,omitempty"`                   // that the job's scripts run in; empty: on the host
	Services  []string `json:"services,omitempty"`                // that run beside it
	Logins    []string `json:"logins,omitempty"`                  // to registries, and where they are from
	Signature string   `json:"signature"`
	Subject   string   `json:"sub,omitempty"` // the claim, in quotes, of a job that is described
	Notes     []string `json:"notes,omitempty"`
	Rules     []rule   `json:"rules"`
}

// rule is the answer of one rule of a tenant about the job.
type rule struct {
	Tenant string `json:"tenant"`
	Rule   string `json:"rule"`
	Want   string `json:"policy"`
	Got    string `json:"job"`
	OK     bool   `json:"ok"`
}

// rules returns what the tenants' rules say about the job. If the runner or the job
// names a tenant, it returns that tenant's rules only; else the tenants with the fewest
// failed rules come first. If the job's tokens could not be read, there are no rules.
func rules(c admission.Case, s tenant.Subject) []rule {
	if c.Policy == nil || s.Tokens == nil {
		return nil
	}
	verdicts := verdictsOf(c, s)
	var all []rule
	for _, v := range verdicts[:min(len(verdicts), maxVerdicts)] {
		for _, r := range v.Rules {
			all = append(all, rule{string(v.Tenant), r.Name, r.Want, r.Got, r.OK})
		}
	}
	return all
}

// verdictsOf returns the verdicts that people want to see, the best first.
func verdictsOf(c admission.Case, s tenant.Subject) []tenant.Verdict {
	verdicts := c.Policy.Explain(s)
	named := cmp.Or(string(c.Pinned), s.Requested)
	if named != "" {
		verdicts = slices.DeleteFunc(verdicts, func(v tenant.Verdict) bool { return string(v.Tenant) != named })
	}
	slices.SortStableFunc(verdicts, func(a, b tenant.Verdict) int { return failed(a) - failed(b) })
	return verdicts
}

// failed returns how many rules of a tenant do not allow the job.
func failed(v tenant.Verdict) int {
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
	text := e.result() + e.given() + e.containers() + fmt.Sprintf("signature: %s\n", e.Signature)
	if e.Subject != "" {
		text += "sub: " + e.Subject + "\n"
	}
	for _, note := range e.Notes {
		text += fmt.Sprintf("note: %s\n", note)
	}
	if len(e.Rules) > 0 {
		text += "\n" + e.ruleTable()
	}
	return text
}

// result returns what would be decided, on a line.
func (e explanation) result() string {
	switch {
	case !e.Allowed:
		return fmt.Sprintf("refused [%s]: %s\n", e.Side, e.Refusal)
	case e.Tenant == "":
		return "allowed: no tenant, the job runs without credentials\n"
	case e.Role == "":
		return fmt.Sprintf("allowed: tenant %s, no credentials of its own\n", e.Tenant)
	}
	return fmt.Sprintf("allowed: tenant %s, role %s, region %s, sessions of %s\n", e.Tenant, e.Role,
		cmp.Or(e.Region, "of the runner's service"), cmp.Or(e.Duration, "the job's timeout"))
}

// given returns what the job gets beside what the first line says.
func (e explanation) given() string {
	text := ""
	for _, g := range e.Given {
		text += g.String()
	}
	return text + e.limit()
}

// limit returns how many credentials jobs like this may ask for.
func (e explanation) limit() string {
	if e.Requests == 0 {
		return ""
	}
	return fmt.Sprintf("limit: %d credentials a minute, for the jobs of this tenant and project on a host; explain does not count\n", e.Requests)
}

// containers returns what the job gets of containers, a line each.
func (e explanation) containers() string {
	text := ""
	if e.Image != "" {
		text += "image: " + e.Image + "\n"
	}
	for _, name := range e.Services {
		text += "service: " + name + "\n"
	}
	for _, login := range e.Logins {
		text += "login: " + login + "\n"
	}
	return text
}

// checks returns what the rules about containers say of a job.
func checks(d admission.Decision) []rule {
	of := cmp.Or(string(d.Grant.Tenant), string(tenant.Nobody))
	var all []rule
	for _, check := range d.Checks {
		all = append(all, rule{of, check.Rule, check.Want, check.Got, check.Refuses == ""})
	}
	return all
}

// addContainers puts into the explanation what an allowed job gets of containers.
func (e *explanation) addContainers(d admission.Decision) {
	if d.Containers == nil {
		return
	}
	e.Image = d.Containers.Image.Name
	for _, s := range d.Containers.Services {
		e.Services = append(e.Services, s.Name)
	}
	for _, l := range d.Logins {
		e.Logins = append(e.Logins, l.Host+", of "+l.Source)
	}
}

// ruleTable returns the rules as a table.
func (e explanation) ruleTable() string {
	rows := [][]string{{"TENANT", "RULE", "THE POLICY SAYS", "THE JOB HAS", "OK"}}
	for _, r := range e.Rules {
		ok := "NO"
		if r.OK {
			ok = "yes"
		}
		rows = append(rows, []string{r.Tenant, r.Rule, r.Want, r.Got, ok})
	}
	return table(rows)
}
