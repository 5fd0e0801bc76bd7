package admission

import (
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// ByJob decides without a policy file: the job names its tenant and role, and AWS's
// trust policy is the judge. The token is the job's; a job of no tenant has none.
func ByJob(pinned tenant.Name, response job.Response, request job.Request, read Reader) (tenant.Grant, identity.Token, error) {
	var none identity.Token
	grant, err := tenant.ZeroConfig{Pinned: pinned}.Decide(tenant.Request{
		Tenant: request["TENANT"], RoleARN: request["ROLE_ARN"], Region: Region(request),
	})
	if err != nil || grant.Tenant == tenant.None {
		return grant, none, err
	}
	if err := CheckOverrides(response, request); err != nil {
		return grant, none, err
	}
	if _, err := aws.ParseRole(grant.RoleARN); err != nil {
		return grant, none, fault.New(fault.Author, fmt.Errorf("tenant %q: ROLE_ARN: %w", grant.Tenant, err),
			"correct the variable ROLE_ARN of the job or project")
	}
	if request[grant.IDToken] == "" {
		return grant, none, tenant.NoToken(grant.Tenant, grant.IDToken, "")
	}
	token, err := Token(grant.IDToken, response, request, read)
	return grant, token, err
}

// CheckOverrides refuses a job whose variables would win over the credentials
// inside its script.
func CheckOverrides(response job.Response, request job.Request) error {
	var names []string
	for _, v := range response.Variables {
		names = append(names, v.Key)
	}
	for name := range request {
		names = append(names, name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name != job.EnvFileVariable && !aws.Overrides(name) })
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fault.New(fault.Author,
		fmt.Errorf("variables of the job would override its tenant's credentials: %s", strings.Join(slices.Compact(names), ", ")),
		"remove them from .gitlab-ci.yml and from Settings > CI/CD > Variables of the project and its groups, or export them in the script where they are meant")
}
