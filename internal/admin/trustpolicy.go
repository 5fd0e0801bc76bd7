package admin

import (
	"encoding/json"
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
	terraform, asJSON      bool

	all                     bool // what all tenants need
	format, account, outDir string
	compare                 string // a file about a role as AWS has it
	provider                string // a file about the identity provider as AWS has it
}

// trustPolicy prints what a tenant needs in AWS. Only the trust policy goes to standard
// output, so that it can be written to a file.
func (d call) trustPolicy() *cobra.Command {
	var a asked
	c := newCommand("trust-policy", "print the trust policy of a tenant's role, and its identity provider", func() error { return d.runTrustPolicy(a) })
	c.Long = `trust-policy prints the trust policy of the role of a tenant on standard output, and on standard
error the commands of the AWS CLI that make identity provider and role. It says where AWS cannot
express a rule of the tenant. It asks no server and changes nothing.`
	c.Example = `  rolecall trust-policy --tenant alpha > trust.json
  rolecall trust-policy --tenant alpha --terraform > alpha.tf`
	set := c.Flags()
	set.StringVar(&a.policy, "config", "", "policy `FILE` (default "+policyfile.Default+")")
	set.StringVar(&a.tenant, "tenant", "", "`NAME` of the tenant")
	set.StringVar(&a.source, "source", "", "`NAME` of a source of the tenant (default: the tenant's own role)")
	set.IntVar(&a.hop, "hop", 1, "`NUMBER` of the role in a chain, from 1 on")
	set.BoolVar(&a.terraform, "terraform", false, "the same as --format terraform")
	set.BoolVar(&a.asJSON, "json", false, "print the trust policy, the notes, the commands and the Terraform as JSON")
	set.BoolVar(&a.all, "all", false, "print what all tenants need, with their sources and chains")
	set.StringVar(&a.format, "format", "", "`FORMAT`: json, terraform or, with --all, cloudformation (default json)")
	set.StringVar(&a.account, "account", "", "with --all: `ID` of the one account that is wanted")
	set.StringVar(&a.outDir, "out-dir", "", "with --all: write files for each account to `FOLDER`")
	set.StringVar(&a.compare, "compare", "", "compare with a role in AWS: `FILE` with what aws iam get-role prints")
	set.StringVar(&a.provider, "provider", "", "with --compare: `FILE` with what aws iam get-open-id-connect-provider prints")
	return c
}

// runTrustPolicy prints the trust policy that is asked for.
func (d call) runTrustPolicy(a asked) error {
	if err := a.check(); err != nil {
		return usageError{err}
	}
	switch {
	case a.compare != "":
		return d.runCompare(a)
	case a.all:
		return d.runTrustAll(a)
	}
	a.terraform = a.terraform || a.format == "terraform"
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
		return d.printTrust(a, result, result.Notes, nil)
	}
	result, err := trust.New(policy.Settings().GitLab.Issuer, chosen, a.source)
	if err != nil {
		return err
	}
	return d.printTrust(a, result, result.Notes, hopsOf(chosen, a.source))
}

// trustPolicy is what a role needs in AWS.
type trustPolicy interface {
	JSON() []byte
	HCL() string
	Commands(file string) string
}

// trusted is what is printed as JSON.
type trusted struct {
	TrustPolicy json.RawMessage `json:"trust_policy"`
	Notes       []string        `json:"notes"`     // what the trust policy does not say
	Commands    string          `json:"commands"`  // of the AWS CLI, with the trust policy in trust.json
	Terraform   string          `json:"terraform"` // the same as a configuration
	Hops        []hop           `json:"hops"`      // the other roles of a chain
}

// hop is another role of a chain.
type hop struct {
	Role    string `json:"role"`
	Command string `json:"command"` // that prints its trust policy
}

// commandsFile is where the commands of the AWS CLI want the trust policy.
const commandsFile = "trust.json"

// printTrust prints a trust policy: as HCL, as JSON with all that belongs to it, or alone. Then
// the notes and the commands of the AWS CLI go to standard error.
func (d call) printTrust(a asked, result trustPolicy, notes []trust.Note, hops []hop) error {
	switch {
	case a.asJSON:
		all := trusted{result.JSON(), []string{}, result.Commands(commandsFile), result.HCL(), append([]hop{}, hops...)}
		for _, note := range notes {
			all.Notes = append(all.Notes, note.String())
		}
		return d.printJSON(all)
	case a.terraform:
		if err := d.print(nil, result.HCL(), false); err != nil {
			return err
		}
	default:
		d.sayTrust(result, notes)
		if err := d.print(nil, string(result.JSON()), false); err != nil {
			return err
		}
	}
	for i, h := range hops {
		d.say("# role %d of the chain, %s: %s\n", i+2, h.Role, h.Command)
	}
	return nil
}

// sayTrust prints the notes and the commands of the AWS CLI on standard error.
func (d call) sayTrust(result trustPolicy, notes []trust.Note) {
	for _, note := range notes {
		d.say("# warning: %s\n", note)
	}
	d.say("%s", result.Commands(commandsFile))
}

// hopsOf returns the other roles of a chain.
func hopsOf(t tenant.Tenant, source string) []hop {
	given, _ := trust.Given(t, source) // whose trust policy was printed
	of := "rolecall trust-policy --tenant " + string(t.Name)
	if source != "" {
		of += " --source " + source
	}
	var all []hop
	for i, h := range given.Chain {
		all = append(all, hop{h.Role.String(), fmt.Sprintf("%s --hop %d", of, i+2)})
	}
	return all
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
