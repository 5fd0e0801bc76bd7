// Package grant says what a policy file and a job can request of AWS, and builds the
// order to STS from it.
package grant

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds/aws"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// maxPolicies is how many managed policies AWS takes for a session.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const maxPolicies = 10

// AWS is the provider of credentials as policy files and admission know it.
type AWS struct{}

// Settings are what a tenant gives its jobs from AWS.
type Settings struct {
	Role              aws.Role
	ByJob             bool // the job has named the role, and not a policy file
	AllowedAccounts   []string
	Region            string        // of scripts and of STS; empty: the region of the runner's service
	Duration          time.Duration // the longest session; 0: as long as the job may run
	SessionPolicyFile string
	PolicyARNs        []string
	Chain             []Hop         // the roles that are assumed after Role, each with the session before it
	Endpoint          bool          // an endpoint gives the tenant's own credentials to scripts
	Renew             time.Duration // how long before its end an endpoint renews a session; 0: the endpoint's default
	NoProfile         bool          // of a source: tools do not find it as a profile
}

// Given is what a tenant gives from AWS: its own credentials, or those of a source.
type Given struct {
	Settings

	Name string // of the source; empty: the tenant's own
}

// All returns all that is given from AWS among gifts, the tenant's own first.
func All(gifts []tenant.Gift) []Given {
	var all []Given
	for _, g := range gifts {
		if s, ok := g.Settings.(Settings); ok && g.Provider == aws.Name {
			all = append(all, Given{s, g.Name})
		}
	}
	return all
}

// Server says how to reach STS. For an empty field the setting of the runner's service
// applies.
type Server struct {
	Endpoint string // URL
	Proxy    string // URL
	CABundle string // file
}

// Of returns a copy of the settings of AWS among gifts, and whether there are any.
func Of(gifts []tenant.Gift) (Settings, bool) {
	s, ok := tenant.Find(gifts, aws.Name).(Settings)
	s.AllowedAccounts, s.PolicyARNs = slices.Clone(s.AllowedAccounts), slices.Clone(s.PolicyARNs)
	return s, ok
}

// ServerOf returns how a policy file says to reach STS.
func ServerOf(settings tenant.Settings) Server {
	s, _ := tenant.Find(settings.Servers, aws.Name).(Server)
	return s
}

// Name returns the provider's name.
func (AWS) Name() string { return aws.Name }

// Asks returns the key by which a tenant requests credentials of AWS.
func (AWS) Asks() string { return "role_arn" }

// Keys returns the keys of a tenant.
func (AWS) Keys() policyfile.Keys {
	return policyfile.Keys{
		"role_arn": policyfile.Text, "region": policyfile.Text, "duration": policyfile.Text, "session_policy_file": policyfile.Text,
		"allowed_accounts": policyfile.List, "policy_arns": policyfile.List, "delivery": policyfile.Text, "renew_before": policyfile.Text,
	}
}

// Tables returns the table [sts].
func (AWS) Tables() map[string]policyfile.Keys {
	return map[string]policyfile.Keys{"sts": {"endpoint": policyfile.Text, "proxy": policyfile.Text, "ca_bundle": policyfile.Text}}
}

// Server compiles the table [sts] to a Server.
func (AWS) Server(table func(name string) policyfile.Table) any {
	var s Server
	t := table("sts")
	policyfile.Set(t, "endpoint", policyfile.ReadServer, &s.Endpoint)
	policyfile.Set(t, "proxy", policyfile.ReadProxy, &s.Proxy)
	policyfile.Set(t, "ca_bundle", policyfile.ReadPath, &s.CABundle)
	return s
}

// Apply returns settings, which are nil or Settings, changed by the keys of a table.
func (AWS) Apply(t policyfile.Table, settings any) any {
	s, _ := settings.(Settings)
	policyfile.Set(t, "delivery", readDelivery, &s.Endpoint)
	return s.with(t)
}

// with returns the settings changed by the keys that a tenant and a source both may have. No
// chain is inherited.
func (s Settings) with(t policyfile.Table) Settings {
	policyfile.Set(t, "role_arn", aws.ParseRole, &s.Role)
	policyfile.Set(t, "region", readRegion, &s.Region)
	policyfile.Set(t, "duration", readSession, &s.Duration)
	policyfile.SetList(t, "allowed_accounts", readAccount, &s.AllowedAccounts)
	policyfile.Set(t, "session_policy_file", policyfile.ReadPath, &s.SessionPolicyFile)
	policyfile.SetAny(t, "policy_arns", readPolicyARN, &s.PolicyARNs)
	policyfile.Set(t, "renew_before", readRenew, &s.Renew)
	s.Chain = readChain(t)
	return s
}

// Check reports a missing role_arn, and keys of a tenant that contradict each other.
func (AWS) Check(t policyfile.Table, settings any) {
	s, _ := settings.(Settings)
	if !t.Has("role_arn") {
		t.Fail("role_arn", policyfile.Missing())
	}
	if t.Own("renew_before") && !s.Endpoint && !hasSource(t) {
		t.Fail("renew_before", errors.New(`without delivery = "endpoint", and without a source of the provider aws, it has no effect; remove it`))
	}
	s.check(t)
	if s.Endpoint {
		s.checkRenew(t)
	}
}

// check reports what is wrong in the settings of a tenant or a source as a whole.
func (s Settings) check(t policyfile.Table) {
	if s.Role == (aws.Role{}) {
		return
	}
	s.checkAccount(t, s.Role)
	s.checkChain(t)
	s.checkPolicies(t)
}

// checkRenew reports a session that would have to be renewed before it begins.
func (s Settings) checkRenew(t policyfile.Table) {
	if most := s.longest(); s.Renew >= most {
		t.Fail("renew_before", fmt.Errorf("%v is not shorter than the sessions, which last at most %v", s.Renew, most))
	}
}

// checkAccount reports a role whose account is not allowed.
func (s Settings) checkAccount(t policyfile.Table, role aws.Role) {
	if len(s.AllowedAccounts) > 0 && !slices.Contains(s.AllowedAccounts, role.Account) {
		t.Fail("role_arn", fmt.Errorf("its account %q is not among allowed_accounts", role.Account))
	}
}

// longest returns the longest session of what the job gets.
func (s Settings) longest() time.Duration {
	most := cmp.Or(s.Duration, aws.LongestSession)
	if len(s.Chain) > 0 {
		most = min(most, aws.LongestChained)
	}
	return most
}

// final returns the role whose session the job gets.
func (s Settings) final() aws.Role {
	if len(s.Chain) > 0 {
		return s.Chain[len(s.Chain)-1].Role
	}
	return s.Role
}

// checkPolicies reports policy_arns that AWS does not take for a session of the role.
func (s Settings) checkPolicies(t policyfile.Table) {
	if len(s.PolicyARNs) > maxPolicies {
		t.Fail("policy_arns", fmt.Errorf("there are %d, and AWS takes at most %d", len(s.PolicyARNs), maxPolicies))
	}
	role := s.final()
	for i, arn := range s.PolicyARNs {
		parts := strings.Split(arn, ":")
		if parts[1] != role.Partition || parts[4] != "aws" && parts[4] != role.Account {
			t.FailAt("policy_arns", i, fmt.Errorf("%s belongs neither to the role's account nor to AWS in the role's partition", tenant.Quote(arn)))
		}
	}
}
