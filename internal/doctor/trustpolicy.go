package doctor

import (
	"errors"
	"fmt"

	"rolecall/internal/doctor/trust"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
)

// trustPolicy prints what a tenant needs in AWS. Only the trust policy goes to standard
// output, so that it can be written to a file.
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
	return d.printTrust(result, *terraform)
}

// printTrust prints a trust policy, as HCL or as JSON with the commands of the AWS CLI.
func (d call) printTrust(result trust.Trust, terraform bool) error {
	if terraform {
		return d.print(nil, result.HCL(), false)
	}
	d.sayTrust(result)
	return d.print(nil, string(result.JSON()), false)
}

// sayTrust prints the notes and the commands of the AWS CLI on standard error.
func (d call) sayTrust(result trust.Trust) {
	for _, note := range result.Notes {
		d.say("# warning: %s\n", note)
	}
	d.say("%s", result.Commands("trust.json"))
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
