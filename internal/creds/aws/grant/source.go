package grant

import (
	"errors"
	"slices"

	"rolecall/internal/creds/aws"
	"rolecall/internal/tenant/policyfile"
)

// SourceKeys returns the keys of a source. It inherits the others of the tenant, but not the
// role.
func (AWS) SourceKeys() policyfile.Keys {
	return policyfile.Keys{
		"role_arn": policyfile.Text, "region": policyfile.Text, "duration": policyfile.Text, "session_policy_file": policyfile.Text,
		"policy_arns": policyfile.List, "renew_before": policyfile.Text, "profile": policyfile.Switch,
	}
}

// Lists returns the list chain: the roles that are assumed after the first.
func (AWS) Lists() map[string]policyfile.Keys {
	return map[string]policyfile.Keys{"chain": {
		"role_arn": policyfile.Text, "external_id": policyfile.Text, "tags": policyfile.Pairs, "transitive": policyfile.List, "source_identity": policyfile.Text,
	}}
}

// Source compiles a source of a tenant with the settings own.
func (AWS) Source(t policyfile.Table, own any) any {
	s, _ := own.(Settings)
	s.Role = aws.Role{}
	s = s.with(t)
	profile := true
	policyfile.SetSwitch(t, "profile", &profile)
	s.NoProfile = !profile
	if s.NoProfile && !s.Endpoint {
		t.Fail("profile", errors.New(`without delivery = "endpoint" of the tenant no script could use the source; remove the key`))
	}
	if !t.Own("role_arn") {
		t.FailTable(errors.New("role_arn is missing; a source does not inherit it"))
	}
	s.check(t)
	s.checkRenew(t)
	return s
}

// hasSource reports whether a tenant has a source of AWS.
func hasSource(t policyfile.Table) bool {
	return slices.ContainsFunc(t.Tables("source"), func(source policyfile.Table) bool { return source.Text("provider") == aws.Name })
}
