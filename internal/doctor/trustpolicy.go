package doctor

import (
	"errors"
	"fmt"

	"rolecall/internal/doctor/trust"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
)

// trustPolicy prints what AWS must be told of a tenant: on standard output the
// trust policy alone, so that it can go to a file.
func (d call) trustPolicy(args []string) error {
	flags := d.flags("trust-policy", "`NAME` of the tenant")
	terraform := flags.Bool("terraform", false, "print the configuration of Terraform, or OpenTofu")
	if err := flags.parse(args); err != nil {
		return err
	}
	if *flags.tenant == "" {
		return usageError{errors.New("name the tenant by --tenant")}
	}
	policy, err := d.readPolicy(program.Flags{Config: *flags.policy})
	if err != nil {
		return err
	}
	chosen, err := find(policy, *flags.tenant)
	if err != nil {
		return err
	}
	result, err := trust.New(policy.Settings().GitLab.Issuer, chosen)
	if err != nil {
		return err
	}
	if *terraform {
		return d.print(nil, result.HCL(), false)
	}
	for _, note := range result.Notes {
		d.say("# warning: %s\n", note)
	}
	d.say("%s", result.Commands("trust.json"))
	return d.print(nil, string(result.JSON()), false)
}

// find returns the tenant of that name.
func find(policy *tenant.Policy, name string) (tenant.Tenant, error) {
	for _, t := range policy.Tenants() {
		if string(t.Name) == name {
			return t, nil
		}
	}
	return tenant.Tenant{}, fmt.Errorf("the policy file has no tenant %.80q", name)
}
