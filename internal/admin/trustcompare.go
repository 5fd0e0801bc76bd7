package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rolecall/internal/admin/trust"
	"rolecall/internal/admin/trust/comparison"
	"rolecall/internal/program"
)

// maxRole bounds the size of a file about a role, in bytes.
const maxRole = 1 << 20

// compared is how a role of AWS differs from the policy file.
type compared struct {
	Role     string               `json:"role"`
	Of       []string             `json:"of"`      // whose role it is
	Verdict  string               `json:"verdict"` // same, narrower or different
	Findings []comparison.Finding `json:"findings"`
}

// runCompare compares a role as AWS has it with what the policy file says.
func (d call) runCompare(a asked) error {
	policy, err := d.readPolicy(program.Flags{Config: a.policy})
	if err != nil {
		return err
	}
	actual, err := readAs(a.compare, comparison.Read)
	if err != nil {
		return err
	}
	plan, err := trust.NewPlan(policy, "")
	if err != nil {
		return err
	}
	account, role, err := planned(plan, actual.ARN)
	if err != nil {
		return err
	}
	server, _ := url.Parse(plan.Issuer) // the policy file has been read
	found := comparison.Compare(strings.TrimPrefix(plan.Issuer, server.Scheme+"://"), role, actual)
	more, err := providerFindings(a.provider, account)
	if err != nil {
		return err
	}
	return d.printCompared(compared{Role: actual.ARN, Of: role.Of, Verdict: "same", Findings: append(found, more...)}, a.asJSON)
}

// readAs reads a file that AWS has answered with.
func readAs[T any](path string, read func([]byte) (T, error)) (T, error) {
	var none T
	content, err := readBounded(path, maxRole)
	if err != nil {
		return none, usageError{err}
	}
	value, err := read(content)
	if err != nil {
		return none, usageError{fmt.Errorf("%s: %w", path, err)}
	}
	return value, nil
}

// providerFindings returns how the identity provider in a file differs from that of an account.
func providerFindings(path string, account trust.Account) ([]comparison.Finding, error) {
	if path == "" {
		return nil, nil
	}
	if account.Provider == nil {
		return nil, fmt.Errorf("no role of account %s needs an identity provider: nothing to compare with", account.ID)
	}
	actual, err := readAs(path, comparison.ReadProvider)
	if err != nil {
		return nil, err
	}
	return comparison.CompareProvider(*account.Provider, actual), nil
}

// planned returns the role of a plan that has an ARN, and its account.
func planned(plan trust.Plan, arn string) (trust.Account, trust.Role, error) {
	for _, account := range plan.Accounts {
		for _, r := range account.Roles {
			if r.ARN.String() == arn {
				return account, r, nil
			}
		}
	}
	return trust.Account{}, trust.Role{}, fmt.Errorf("the policy file has no role %.200q: nothing to compare with", arn)
}

// printCompared prints how a role differs. What only narrows it is no problem.
func (d call) printCompared(result compared, asJSON bool) error {
	for _, f := range result.Findings {
		if f.Kind == comparison.Narrower {
			result.Verdict = "narrower"
		}
	}
	if slices.ContainsFunc(result.Findings, func(f comparison.Finding) bool { return f.Kind != comparison.Narrower }) {
		result.Verdict = "different"
	}
	if err := d.print(result, result.String(), asJSON); err != nil || result.Verdict != "different" {
		return err
	}
	return errSick
}

// String returns the comparison for people.
func (c compared) String() string {
	text := fmt.Sprintf("%s, the role of %s: %s\n", c.Role, strings.Join(c.Of, ", and "), map[string]string{
		"same":      "as the policy file says",
		"narrower":  "not wider than the policy file says",
		"different": "not as the policy file says",
	}[c.Verdict])
	for _, f := range c.Findings {
		text += fmt.Sprintf("%-8s  %s\n", f.Kind, plain(f.Text))
	}
	return text
}
