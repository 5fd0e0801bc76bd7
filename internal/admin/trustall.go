package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/admin/trust"
	"rolecall/internal/program"
)

// The formats of what AWS needs.
const (
	inJSON           = "json"
	inTerraform      = "terraform"
	inCloudFormation = "cloudformation"
)

// check reports flags that are missing or contradict each other.
func (a asked) check() error {
	one := a.tenant != "" || a.source != "" || a.hop != 1
	switch {
	case a.all && a.compare != "":
		return errors.New("--all and --compare contradict each other: a file has one role")
	case a.provider != "" && a.compare == "":
		return errors.New("--provider goes with --compare")
	case (a.all || a.compare != "") && one:
		return errors.New("--all and --compare are about all tenants: remove --tenant, --source and --hop")
	case !a.all && a.compare == "" && a.tenant == "":
		return errors.New("name the tenant by --tenant, or print what all tenants need by --all")
	case !slices.Contains([]string{"", inJSON, inTerraform, inCloudFormation}, a.format):
		return fmt.Errorf("--format %.40q: want json, terraform or cloudformation", a.format)
	case a.terraform && a.format != "" && a.format != inTerraform:
		return errors.New("--terraform and --format contradict each other")
	case a.all && a.outDir == "" && a.asJSON && (a.terraform || !slices.Contains([]string{"", inJSON}, a.format)):
		return errors.New("--json and --format contradict each other")
	case !a.all && (a.account != "" || a.outDir != "" || a.format == inCloudFormation):
		return errors.New("--account, --out-dir and --format cloudformation go with --all")
	}
	return nil
}

// runTrustAll prints what all tenants need, or writes it to files.
func (d call) runTrustAll(a asked) error {
	policy, err := d.readPolicy(program.Flags{Config: a.policy})
	if err != nil {
		return err
	}
	plan, err := trust.NewPlan(policy, a.account)
	switch {
	case err != nil:
		return err
	case len(plan.Accounts) == 0 && a.account != "":
		return fmt.Errorf("the policy file has no role in account %.40q", a.account)
	case len(plan.Accounts) == 0:
		return errors.New("the policy file gives no tenant a role of AWS")
	case a.terraform:
		a.format = inTerraform
	}
	if a.outDir != "" {
		return d.writePlan(plan, a)
	}
	return d.printPlan(plan, a.format)
}

// printPlan prints a plan. A template of CloudFormation is of one account.
func (d call) printPlan(plan trust.Plan, format string) error {
	switch {
	case format == inTerraform:
		return d.print(nil, string(plan.Terraform()), false)
	case format != inCloudFormation:
		return d.printJSON(plan)
	case len(plan.Accounts) > 1:
		var ids []string
		for _, account := range plan.Accounts {
			ids = append(ids, account.ID)
		}
		return usageError{fmt.Errorf("a template of CloudFormation is of one account, and there are %s: choose one by --account, or give --out-dir", strings.Join(ids, ", "))}
	}
	return d.print(nil, string(plan.Accounts[0].CloudFormation()), false)
}

// writePlan writes a plan to files, in a folder for each account, and names them.
func (d call) writePlan(plan trust.Plan, a asked) error {
	paths := []string{}
	for _, account := range plan.Accounts {
		one := trust.Plan{Issuer: plan.Issuer, Accounts: []trust.Account{account}}
		files := map[string][]byte{}
		switch a.format {
		case inTerraform:
			files["rolecall.tf"] = one.Terraform()
		case inCloudFormation:
			files["rolecall.template.json"] = account.CloudFormation()
		default:
			for _, r := range account.Roles {
				files[r.ARN.Name()+".trust.json"] = r.TrustPolicy()
			}
		}
		written, err := writeFiles(filepath.Join(a.outDir, account.ID), files)
		paths = append(paths, written...)
		if err != nil {
			return err
		}
	}
	return d.print(struct {
		Files []string `json:"files"`
	}{paths}, strings.Join(paths, "\n")+"\n", a.asJSON)
}

// writeFiles writes files to a folder, and returns their paths.
func writeFiles(dir string, files map[string][]byte) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // no secrets: whoever sets up AWS reads them
		return nil, err
	}
	var paths []string
	for _, name := range sortedNames(files) {
		path := filepath.Join(dir, name)
		if err := writeOpen(path, files[name]); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// sortedNames returns the names of files, sorted.
func sortedNames(files map[string][]byte) []string {
	var names []string
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
