// Package grant says what a policy file and a job can request of AWS, and builds the
// order to STS from it.
package grant

import (
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
		"allowed_accounts": policyfile.List, "policy_arns": policyfile.List,
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
	policyfile.Set(t, "role_arn", aws.ParseRole, &s.Role)
	policyfile.Set(t, "region", readRegion, &s.Region)
	policyfile.Set(t, "duration", readSession, &s.Duration)
	policyfile.SetList(t, "allowed_accounts", readAccount, &s.AllowedAccounts)
	policyfile.Set(t, "session_policy_file", policyfile.ReadPath, &s.SessionPolicyFile)
	policyfile.SetAny(t, "policy_arns", readPolicyARN, &s.PolicyARNs)
	return s
}

// Check reports a missing role_arn, and keys of a tenant that contradict each other.
func (AWS) Check(t policyfile.Table, settings any) {
	s, _ := settings.(Settings)
	if !t.Has("role_arn") {
		t.Fail("role_arn", policyfile.Missing())
	}
	if s.Role == (aws.Role{}) {
		return
	}
	if len(s.AllowedAccounts) > 0 && !slices.Contains(s.AllowedAccounts, s.Role.Account) {
		t.Fail("role_arn", fmt.Errorf("its account %q is not among allowed_accounts", s.Role.Account))
	}
	s.checkPolicies(t)
}

// checkPolicies reports policy_arns that AWS does not take for a session of the role.
func (s Settings) checkPolicies(t policyfile.Table) {
	if len(s.PolicyARNs) > maxPolicies {
		t.Fail("policy_arns", fmt.Errorf("there are %d, and AWS takes at most %d", len(s.PolicyARNs), maxPolicies))
	}
	for i, arn := range s.PolicyARNs {
		parts := strings.Split(arn, ":")
		if parts[1] != s.Role.Partition || parts[4] != "aws" && parts[4] != s.Role.Account {
			t.FailAt("policy_arns", i, fmt.Errorf("%s belongs neither to the role's account nor to AWS in the role's partition", tenant.Quote(arn)))
		}
	}
}
