package tenant_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// FuzzDecide holds decisions against an oracle that is written down naively.
func FuzzDecide(f *testing.F) {
	for _, seed := range [][9]string{
		{"", "", "https://gitlab.example.com", "acme/deploy", "acme/deploy", "main", "branch", "true", "alpha"},
		{"", "alpha", "https://gitlab.example.com", "acme/infra/x", "", "release/1", "branch", "true", "alpha"},
		{"alpha", "alpha", "https://gitlab.example.com", "eve/deploy", "acme/deploy", "main", "branch", "true", "alpha"},
		{"beta", "", "beta", "beta/x", "beta/x", "v1", "tag", "false", ""},
		{"", "", "beta", "beta/x", "beta/x", "v1", "tag", "false", ""},
		{"", "", "beta", "beta/x/y", "beta/x/y", "v1", "tag", "false", ""},
		{"", "beta-prod", "beta,x", "beta/x", "beta/x", "v1", "tag", "True", "x"},
		{"must", "beta", "must-aud", "must/x", "must/x", "release/../main", "branch", "true", "alpha"},
		{"", "", "must-aud", "must/x", "must/../x", "main/x", "branch", "true", "alpha"},
		{"eve", "", "", "", "", "", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7], seed[8], uint8(7))
	}
	policy := compile(f, shared)
	tenants := policy.Tenants()
	f.Fuzz(func(t *testing.T, pinned, requested, audience, project, jobProject, ref, refType, protected, environment string, which uint8) {
		c := tenant.Claims{
			Audience: strings.Split(audience, ","), Project: project, JobProject: jobProject,
			Ref: ref, RefType: refType, Protected: protected, Environment: environment,
		}
		j := tenant.Subject{Pinned: tenant.Name(pinned), Requested: requested, Tokens: map[string]tenant.Claims{}}
		for i, name := range []string{"GITLAB_OIDC_TOKEN", "BETA_TOKEN", "MUST_TOKEN"} {
			if which>>i&1 == 1 {
				j.Tokens[name] = c
			}
		}
		if which&8 != 0 {
			j.Project = project
		}
		j.Named = requested != "" || which&16 != 0
		var allowing []tenant.Name
		for _, one := range tenants {
			named := (pinned == "" || pinned == string(one.Name)) && (requested == "" || requested == string(one.Name))
			if _, has := j.Tokens[one.IDToken]; has && named && oracleAllows(one, j, c) {
				allowing = append(allowing, one.Name)
			}
		}
		grant, err := policy.Decide(j)
		granted := err == nil && grant.Tenant != tenant.None
		if want := len(allowing) == 1 && j.Named == (requested != ""); granted != want || granted && grant.Tenant != allowing[0] {
			t.Errorf("the oracle allows %q, Decide gives %+v, %v for %+v", allowing, grant, err, j)
		}
		if granted && grant.Protected != (protected == "true") {
			t.Errorf("Protected is %v for %q", grant.Protected, protected)
		}
		if e, ok := errors.AsType[*fault.Error](cmp.Or(err, grant.Unserved)); ok && strings.Contains(e.What.Error()+fmt.Sprint(e.Rows), "\n") {
			t.Errorf("the refusal has lines: %q", err)
		}
		for i, v := range policy.Explain(j) {
			_, has := j.Tokens[tenants[i].IDToken]
			if want := has && oracleAllows(tenants[i], j, c); v.Allows != want {
				t.Errorf("Explain: %+v, the oracle says %v", v, want)
			}
		}
	})
}

// oracleAllows says whether a tenant allows a job with a token of those claims.
func oracleAllows(one tenant.Tenant, j tenant.Subject, c tenant.Claims) bool {
	match := func(patterns []tenant.Pattern, value string) bool {
		for _, p := range patterns {
			if oracleMatch(p.String(), value) {
				return true
			}
		}
		return false
	}
	runs := c.JobProject
	if runs == "" {
		runs = c.Project
	}
	return strings.Join(c.Audience, ",") == one.Audience && match(one.Projects, c.Project) && match(one.Projects, runs) &&
		(j.Project == "" || j.Project == runs) && slices.Contains(one.RefTypes, c.RefType) &&
		(len(one.Refs) == 0 || match(one.Refs, c.Ref)) && (!one.Protected || c.Protected == "true") &&
		(len(one.Environments) == 0 || match(one.Environments, c.Environment))
}
