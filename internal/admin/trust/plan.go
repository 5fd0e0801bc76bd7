package trust

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
)

// Plan is all that the tenants of a policy file need in AWS.
type Plan struct {
	Issuer   string    `json:"issuer"`
	Accounts []Account `json:"accounts"` // in the order of their ids
}

// Account is what an account of AWS needs.
type Account struct {
	ID       string    `json:"account"`
	Provider *Provider `json:"provider,omitempty"` // nil: no role of the account trusts ID tokens
	Roles    []Role    `json:"roles"`
}

// Provider is the identity provider of an account.
type Provider struct {
	ARN       string   `json:"arn"`
	URL       string   `json:"url"`
	Audiences []string `json:"audiences"` // of all its tenants, sorted
}

// Role is a role of AWS. Several tenants may have it, and it may be in several chains.
type Role struct {
	ARN         aws.Role     `json:"arn"`
	Of          []string     `json:"of"` // whose role it is
	Seconds     int64        `json:"max_session_duration"`
	Policy      Document     `json:"trust_policy"`
	Permissions []Permission `json:"permissions,omitempty"` // to assume the next roles of chains
	Notes       []string     `json:"notes,omitempty"`

	label string // of a resource of Terraform
}

// Permission is a policy of a role that lets it assume another one.
type Permission struct {
	Name   string   `json:"name"`
	Policy Document `json:"policy"`
}

// Document is a policy of IAM.
type Document struct {
	Version   string
	Statement []Statement
}

// Statement is a statement of a policy of IAM.
type Statement struct {
	Effect    string
	Principal map[string]string `json:",omitempty"`
	Action    []string
	Resource  string                         `json:",omitempty"`
	Condition map[string]map[string][]string `json:",omitempty"` // values by operator and key
}

// version is the version of IAM's policies.
const version = "2012-10-17"

// NewPlan returns what the tenants of a policy file need. Only, if it is not empty, is the one
// account that is wanted.
func NewPlan(policy *tenant.Policy, only string) (Plan, error) {
	issuer := policy.Settings().GitLab.Issuer
	m := maker{roles: map[string]*Role{}, audiences: map[string][]string{}}
	for _, t := range policy.Tenants() {
		for _, given := range grant.All(t.Gifts) {
			if err := m.add(issuer, t, given); err != nil {
				return Plan{}, err
			}
		}
	}
	plan := Plan{Issuer: issuer, Accounts: m.accounts(issuer)}
	if only != "" {
		plan.Accounts = slices.DeleteFunc(plan.Accounts, func(a Account) bool { return a.ID != only })
	}
	return plan, nil
}

// Roles returns the roles of all accounts.
func (p Plan) Roles() []Role {
	var all []Role
	for _, a := range p.Accounts {
		all = append(all, a.Roles...)
	}
	return all
}

// maker puts a plan together.
type maker struct {
	roles     map[string]*Role    // by ARN
	order     []string            // their ARNs, as the policy file names them
	audiences map[string][]string // by the ARN of the identity provider
}

// add adds the roles of a tenant or a source.
func (m *maker) add(issuer string, t tenant.Tenant, given grant.Given) error {
	first, err := New(issuer, t, given.Name)
	if err != nil {
		return err
	}
	m.audiences[first.provider()] = append(m.audiences[first.provider()], t.Audience)
	before := m.role(given.Role, first.whose(), label(string(t.Name), given.Name, 1))
	before.Seconds = max(before.Seconds, first.seconds())
	before.trust(first.statement(), first.Notes)
	for i := range given.Chain {
		place := i + 2
		hop, err := NewHop(t, given.Name, place)
		if err != nil {
			return err
		}
		next := m.role(hop.hop.Role, fmt.Sprintf("role %d of the chain of %s", place, first.whose()), label(string(t.Name), given.Name, place))
		next.trust(hop.statement(), hop.Notes)
		before.permit(hop)
		before = next
	}
	return nil
}

// role returns the role of the plan with that ARN, which is a new one if there is none.
func (m *maker) role(arn aws.Role, of, name string) *Role {
	r := m.roles[arn.String()]
	if r == nil {
		taken := func() bool {
			return slices.ContainsFunc(m.order, func(other string) bool { return m.roles[other].label == name })
		}
		for taken() { // tenant a_b, and source b of tenant a
			name += "_"
		}
		const hour = 60 * 60
		r = &Role{ARN: arn, Seconds: hour, Policy: Document{Version: version}, label: name}
		m.roles[arn.String()] = r
		m.order = append(m.order, arn.String())
	}
	r.Of = append(r.Of, of)
	return r
}

// trust adds a statement to the trust policy of the role, unless it is there.
func (r *Role) trust(s Statement, notes []Note) {
	same := func(other Statement) bool { return string(encode(other)) == string(encode(s)) }
	if !slices.ContainsFunc(r.Policy.Statement, same) {
		r.Policy.Statement = append(r.Policy.Statement, s)
	}
	for _, note := range notes {
		if text := oneLine(note.String()); !slices.Contains(r.Notes, text) {
			r.Notes = append(r.Notes, text)
		}
	}
}

// permit lets the role assume the role of a hop.
func (r *Role) permit(h Hop) {
	s := Statement{Effect: "Allow", Action: h.actions(), Resource: h.hop.Role.String()}
	p := Permission{"assume-" + h.hop.Role.Name(), Document{version, []Statement{s}}}
	same := func(other Permission) bool { return other.Name == p.Name }
	if i := slices.IndexFunc(r.Permissions, same); i >= 0 {
		r.Permissions[i].Policy.Statement = append(r.Permissions[i].Policy.Statement, s)
		return
	}
	r.Permissions = append(r.Permissions, p)
}

// accounts returns the accounts of the roles.
func (m *maker) accounts(issuer string) []Account {
	var all []Account
	for _, arn := range m.order {
		role := m.roles[arn]
		i := slices.IndexFunc(all, func(a Account) bool { return a.ID == role.ARN.Account })
		if i < 0 {
			i = len(all)
			all = append(all, Account{ID: role.ARN.Account, Provider: m.provider(issuer, role.ARN.Account)})
		}
		all[i].Roles = append(all[i].Roles, *role)
	}
	slices.SortFunc(all, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// provider returns the identity provider of an account, or nil.
func (m *maker) provider(issuer, account string) *Provider {
	for arn, audiences := range m.audiences {
		if strings.Contains(arn, "::"+account+":") {
			slices.Sort(audiences)
			return &Provider{arn, issuer, slices.Compact(audiences)}
		}
	}
	return nil
}

// statement returns the statement of the trust policy.
func (t Trust) statement() Statement {
	conditions := map[string]map[string][]string{"StringEquals": {t.host + ":aud": {literal(t.tenant.Audience)}}}
	if conditions[t.operator] == nil {
		conditions[t.operator] = map[string][]string{}
	}
	conditions[t.operator][t.host+":sub"] = t.subjects
	return Statement{Effect: "Allow", Principal: map[string]string{federated: t.provider()}, Action: []string{"sts:AssumeRoleWithWebIdentity"}, Condition: conditions}
}

// statement returns the statement of the trust policy.
func (h Hop) statement() Statement {
	s := Statement{Effect: "Allow", Principal: map[string]string{"AWS": h.before.String()}, Action: h.actions()}
	if h.hop.ExternalID != "" {
		s.Condition = map[string]map[string][]string{"StringEquals": {"sts:ExternalId": {literal(h.hop.ExternalID)}}}
	}
	return s
}

// federated is the kind of principal that an identity provider is.
const federated = "Federated"

// TrustPolicy returns the trust policy of the role, for --assume-role-policy-document.
func (r Role) TrustPolicy() []byte { return encode(r.Policy) }
