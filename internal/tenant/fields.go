package tenant

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds/aws"
)

// maxPolicies is how many managed policies AWS takes for a session.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const maxPolicies = 10

// table is a table of a policy file that is being compiled.
type table struct {
	*compiler

	at    place
	label string // what messages begin with
}

// fail reports a problem of a key's value, or of an element of it.
func (t table) fail(key string, element int, err error) {
	t.at.key, t.at.element = key, element
	t.compiler.fail(t.at, t.label+key+": "+err.Error())
}

// set reads the text of a key, if there is one.
func set[T any](t table, key string, text *string, read func(string) (T, error), to *T) {
	if text == nil {
		return
	}
	value, err := read(*text)
	if err != nil {
		t.fail(key, -1, err)
		return
	}
	*to = value
}

// setList reads the list of a key, if there is one. It replaces what was there.
func setList[T any](t table, key string, list *[]string, read func(string) (T, error), to *[]T) {
	if list == nil {
		return
	}
	if len(*list) == 0 && key != "policy_arns" {
		t.fail(key, -1, errors.New("the list is empty, so that no job could match; name one, or remove the key"))
	}
	*to = make([]T, 0, len(*list))
	for i, text := range *list {
		value, err := read(text)
		if err != nil {
			t.fail(key, i, err)
			continue
		}
		*to = append(*to, value)
	}
}

// setLimit reads the number of a key, if there is one; 0 is no limit.
func (t table) setLimit(key string, number *int64, to *uint64) {
	switch {
	case number == nil:
	case *number < 0:
		t.fail(key, -1, errors.New("want a number, or 0 for no limit"))
	default:
		*to = uint64(*number)
	}
}

// apply sets in tenant what the keys of the table say.
func (t table) apply(tenant *Tenant, k keys) {
	set(t, "role_arn", k.RoleARN, aws.ParseRole, &tenant.Role)
	set(t, "audience", k.Audience, readAudience, &tenant.Audience)
	setList(t, "projects", k.Projects, patternOf(checkProject), &tenant.Projects)
	setList(t, "refs", k.Refs, patternOf(checkRef), &tenant.Refs)
	setList(t, "ref_types", k.RefTypes, readRefType, &tenant.RefTypes)
	setList(t, "environments", k.Environments, patternOf(checkEnvironment), &tenant.Environments)
	set(t, "id_token", k.IDToken, readVariable, &tenant.IDToken)
	set(t, "region", k.Region, readRegion, &tenant.Region)
	set(t, "duration", k.Duration, readSession, &tenant.Duration)
	setList(t, "allowed_accounts", k.AllowedAccounts, readAccount, &tenant.AllowedAccounts)
	set(t, "session_policy_file", k.SessionPolicyFile, readPath, &tenant.SessionPolicyFile)
	setList(t, "policy_arns", k.PolicyARNs, readPolicyARN, &tenant.PolicyARNs)
	set(t, "run_as", k.RunAs, readUser, &tenant.RunAs)
	t.setLimit("max_open_files", k.MaxOpenFiles, &tenant.Limits.OpenFiles)
	t.setLimit("max_processes", k.MaxProcesses, &tenant.Limits.Processes)
	t.setLimit("max_memory", k.MaxMemory, &tenant.Limits.Memory)
	if k.Protected != nil {
		tenant.Protected = *k.Protected
	}
	if k.Required != nil {
		tenant.Required = *k.Required
	}
}

// check checks what the keys of a tenant say together.
func (t table) check(tenant Tenant, own, defaults keys) {
	const missing = "it is missing, here and in [defaults]"
	if own.RoleARN == nil && defaults.RoleARN == nil {
		t.fail("role_arn", -1, errors.New(missing))
	}
	if own.Audience == nil && defaults.Audience == nil {
		t.fail("audience", -1, errors.New(missing))
	}
	if own.Projects == nil && defaults.Projects == nil {
		t.fail("projects", -1, errors.New(missing))
	}
	role := tenant.Role
	if role == (aws.Role{}) {
		return
	}
	if len(tenant.AllowedAccounts) > 0 && !slices.Contains(tenant.AllowedAccounts, role.Account) {
		t.fail("role_arn", -1, fmt.Errorf("its account %q is not among allowed_accounts", role.Account))
	}
	if len(tenant.PolicyARNs) > maxPolicies {
		t.fail("policy_arns", -1, fmt.Errorf("there are %d, and AWS takes at most %d", len(tenant.PolicyARNs), maxPolicies))
	}
	for i, arn := range tenant.PolicyARNs {
		parts := strings.Split(arn, ":")
		if parts[1] != role.Partition || parts[4] != "aws" && parts[4] != role.Account {
			t.fail("policy_arns", i, fmt.Errorf("%s is not of the role's account, nor of AWS in its partition", quote(arn)))
		}
	}
}

// patternOf returns the reader of a pattern.
func patternOf(check func(string, []string) error) func(string) (Pattern, error) {
	return func(text string) (Pattern, error) { return parsePattern(text, check) }
}
