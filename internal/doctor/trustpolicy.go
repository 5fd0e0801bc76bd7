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
	source := flags.String("source", "", "`NAME` of a source of the tenant (default: the tenant's own role)")
	hop := flags.Int("hop", 1, "`NUMBER` of the role in a chain, from 1 on")
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
	if *hop != 1 {
		result, err := trust.NewHop(chosen, *source, *hop)
		if err != nil {
			return err
		}
		return d.printTrust(result, result.Notes, *terraform)
	}
	result, err := trust.New(policy.Settings().GitLab.Issuer, chosen, *source)
	if err != nil {
		return err
	}
	if err := d.printTrust(result, result.Notes, *terraform); err != nil {
		return err
	}
	d.sayHops(chosen, *source)
	return nil
}

// trustPolicy is what a role needs in AWS.
type trustPolicy interface {
	JSON() []byte
	HCL() string
	Commands(file string) string
}

// printTrust prints a trust policy, as HCL or as JSON. The notes and the commands of the AWS
// CLI go to standard error.
func (d call) printTrust(result trustPolicy, notes []trust.Note, terraform bool) error {
	if terraform {
		return d.print(nil, result.HCL(), false)
	}
	d.sayTrust(result, notes)
	return d.print(nil, string(result.JSON()), false)
}

// sayTrust prints the notes and the commands of the AWS CLI on standard error.
func (d call) sayTrust(result trustPolicy, notes []trust.Note) {
	for _, note := range notes {
		d.say("# warning: %s\n", note)
	}
	d.say("%s", result.Commands("trust.json"))
}

// sayHops prints on standard error how the trust policies of the other roles of a chain are
// printed.
func (d call) sayHops(t tenant.Tenant, source string) {
	given, _ := trust.Given(t, source) // whose trust policy was printed
	of := "--tenant " + string(t.Name)
	if source != "" {
		of += " --source " + source
	}
	for i, h := range given.Chain {
		d.say("# role %d of the chain, %s: doctor trust-policy %s --hop %[1]d\n", i+2, h.Role, of)
	}
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
