package admin

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/trust"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// asked says which trust policy is asked for.
type asked struct {
	policy, tenant, source string
	hop                    int
	terraform              bool
}

// trustPolicy prints what a tenant needs in AWS. Only the trust policy goes to standard
// output, so that it can be written to a file.
func (d call) trustPolicy() *cobra.Command {
	var a asked
	c := newCommand("trust-policy", "print the trust policy of a tenant's role, and its identity provider", func() error { return d.runTrustPolicy(a) })
	set := c.Flags()
	set.StringVar(&a.policy, "config", "", "policy `FILE` (default "+policyfile.Default+")")
	set.StringVar(&a.tenant, "tenant", "", "`NAME` of the tenant")
	set.StringVar(&a.source, "source", "", "`NAME` of a source of the tenant (default: the tenant's own role)")
	set.IntVar(&a.hop, "hop", 1, "`NUMBER` of the role in a chain, from 1 on")
	set.BoolVar(&a.terraform, "terraform", false, "print the configuration of Terraform, or OpenTofu")
	return c
}

// runTrustPolicy prints the trust policy that is asked for.
func (d call) runTrustPolicy(a asked) error {
	if a.tenant == "" {
		return usageError{errors.New("name the tenant by --tenant")}
	}
	policy, err := d.readPolicy(program.Flags{Config: a.policy})
	if err != nil {
		return err
	}
	chosen, err := find(policy, a.tenant)
	if err != nil {
		return err
	}
	if a.hop != 1 {
		result, err := trust.NewHop(chosen, a.source, a.hop)
		if err != nil {
			return err
		}
		return d.printTrust(result, result.Notes, a.terraform)
	}
	result, err := trust.New(policy.Settings().GitLab.Issuer, chosen, a.source)
	if err != nil {
		return err
	}
	if err := d.printTrust(result, result.Notes, a.terraform); err != nil {
		return err
	}
	d.sayHops(chosen, a.source)
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
		d.say("# role %d of the chain, %s: rolecall trust-policy %s --hop %[1]d\n", i+2, h.Role, of)
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
