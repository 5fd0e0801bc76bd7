package trust_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"rolecall/internal/admin/trust"
)

// several is a policy file whose tenants share a role, an account and a chain.
const several = `shared_user = "unsafe"
[gitlab]
issuer = "https://` + host + `"
[defaults]
audience = "https://a/${aws:x}"
[[tenant]]
name = "a"
projects = ["acme/deploy"]
refs = ["main"]
duration = "2h"
role_arn = "arn:aws:iam::111122223333:role/ci/deploy"
[[tenant.source]]
name = "b"
provider = "aws"
role_arn = "arn:aws:iam::444455556666:role/bridge"
[[tenant.source.chain]]
role_arn = "arn:aws:iam::111122223333:role/far"
external_id = "x:1"
tags = { project = "claim:project_path" }
[[tenant]]
name = "a_b"
audience = "https://z"
projects = ["acme/**"]
role_arn = "arn:aws:iam::111122223333:role/ci/deploy"
[[tenant]]
name = "c"
projects = ["acme/c"]
role_arn = "arn:aws:iam::111122223333:role/c-c"
[[tenant]]
name = "a_b_2"
projects = ["acme/c"]
role_arn = "arn:aws:iam::111122223333:role/c_c"
`

func planOf(t *testing.T, only string) trust.Plan {
	t.Helper()
	plan, err := trust.NewPlan(compile(t, several), only)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestPlan(t *testing.T) {
	t.Parallel()
	plan := planOf(t, "")
	var got []string
	for _, a := range plan.Accounts {
		got = append(got, a.ID+": "+strings.Join(a.Provider.Audiences, " ")+" "+a.Provider.ARN)
		for _, r := range a.Roles {
			got = append(got, r.ARN.String()+" of "+strings.Join(r.Of, ", "))
		}
	}
	want := []string{
		"111122223333: https://a/${aws:x} https://z arn:aws:iam::111122223333:oidc-provider/" + host,
		"arn:aws:iam::111122223333:role/ci/deploy of tenant a, tenant a_b",
		"arn:aws:iam::111122223333:role/far of role 2 of the chain of source b of tenant a",
		"arn:aws:iam::111122223333:role/c-c of tenant c", "arn:aws:iam::111122223333:role/c_c of tenant a_b_2",
		"444455556666: https://a/${aws:x} arn:aws:iam::444455556666:oidc-provider/" + host,
		"arn:aws:iam::444455556666:role/bridge of source b of tenant a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	deploy := plan.Accounts[0].Roles[0]
	if len(deploy.Policy.Statement) != 2 || deploy.Seconds != 7200 || plan.Accounts[1].Roles[0].Seconds != 3600 {
		t.Errorf("the role of two tenants is %+v", deploy)
	}
	if only := planOf(t, "444455556666"); len(only.Accounts) != 1 || only.Accounts[0].ID != "444455556666" {
		t.Errorf("%+v", only)
	}
}

// config reads a configuration as Terraform does: the values of its resources by type and name.
// References to ARNs get the ARNs of arns.
func config(t *testing.T, text []byte, arns map[string]string) map[string]map[string]cty.Value {
	t.Helper()
	file, problems := hclsyntax.ParseConfig(text, "main.tf", hcl.InitialPos)
	if problems.HasErrors() {
		t.Fatalf("%v in\n%s", problems, text)
	}
	kinds := map[string]map[string]cty.Value{"aws_iam_role": {}, "aws_iam_openid_connect_provider": {}, "aws": {}}
	for name, arn := range arns {
		kind, label, _ := strings.Cut(name, ".")
		kinds[kind][label] = cty.ObjectVal(map[string]cty.Value{"arn": cty.StringVal(arn), "name": cty.StringVal(arn[strings.LastIndex(arn, "/")+1:])})
	}
	scope := &hcl.EvalContext{Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc}, Variables: map[string]cty.Value{}}
	for kind, values := range kinds {
		scope.Variables[kind] = cty.ObjectVal(values)
	}
	found := map[string]map[string]cty.Value{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		values := map[string]cty.Value{}
		for name, attribute := range block.Body.Attributes {
			if name == "provider" { // Terraform takes it as it is written
				traversal, problems := hcl.AbsTraversalForExpr(attribute.Expr)
				if problems.HasErrors() {
					t.Fatal(problems)
				}
				values[name] = cty.StringVal(traversal[1].(hcl.TraverseAttr).Name)
				continue
			}
			value, problems := attribute.Expr.Value(scope)
			if problems.HasErrors() {
				t.Fatalf("%s: %v in\n%s", name, problems, text)
			}
			values[name] = value
		}
		if _, twice := found[strings.Join(block.Labels, ".")]; twice {
			t.Errorf("%q is there twice", block.Labels)
		}
		found[strings.Join(block.Labels, ".")] = values
	}
	return found
}

// TestPlanTerraform: all roles and providers are in the configuration, each once, with the policies
// of the plan.
func TestPlanTerraform(t *testing.T) {
	t.Parallel()
	plan := planOf(t, "")
	arns := map[string]string{"aws_iam_role.rolecall_a_b": "arn:aws:iam::444455556666:role/bridge"}
	for _, a := range plan.Accounts {
		arns["aws_iam_openid_connect_provider.gitlab_"+a.ID] = a.Provider.ARN
	}
	labels := map[string]string{
		"arn:aws:iam::111122223333:role/ci/deploy": "rolecall_a", "arn:aws:iam::111122223333:role/far": "rolecall_a_b_2",
		"arn:aws:iam::111122223333:role/c-c": "rolecall_c", "arn:aws:iam::111122223333:role/c_c": "rolecall_a_b_2_", "arn:aws:iam::444455556666:role/bridge": "rolecall_a_b",
	}
	found := config(t, plan.Terraform(), arns)
	for _, a := range plan.Accounts {
		provider := found["aws_iam_openid_connect_provider.gitlab_"+a.ID]
		if provider["url"].AsString() != plan.Issuer || provider["client_id_list"].LengthInt() != len(a.Provider.Audiences) || provider["client_id_list"].Index(cty.Zero).AsString() != a.Provider.Audiences[0] || provider["provider"].AsString() != "account_"+a.ID {
			t.Errorf("the provider of %s is %#v", a.ID, provider)
		}
		for _, r := range a.Roles {
			role := found["aws_iam_role."+labels[r.ARN.String()]]
			if role == nil || role["name"].AsString() != r.ARN.Name() || role["path"].AsString()+r.ARN.Name() != "/"+r.ARN.Path ||
				!role["max_session_duration"].RawEquals(cty.NumberIntVal(r.Seconds)) || role["provider"].AsString() != "account_"+a.ID {
				t.Errorf("%s is %#v", r.ARN, role)
				continue
			}
			if diff := cmp.Diff(parse(t, string(r.TrustPolicy())), parse(t, role["assume_role_policy"].AsString())); diff != "" {
				t.Errorf("the trust policy of %s differs:\n%s", r.ARN, diff)
			}
			for _, note := range r.Notes {
				if !strings.Contains(string(plan.Terraform()), "# "+note+"\n") {
					t.Errorf("no comment says %s", note)
				}
			}
		}
	}
	for _, reference := range []string{"gitlab_111122223333.arn", "gitlab_444455556666.arn", "aws_iam_role.rolecall_a_b.arn"} {
		if !strings.Contains(string(plan.Terraform()), reference) {
			t.Errorf("nothing refers to %s", reference)
		}
	}
	assume := found["aws_iam_role_policy.rolecall_a_b_assume_1"]
	const allowed = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"arn:aws:iam::111122223333:role/far"}]}`
	if assume["role"].AsString() != "bridge" || !cmp.Equal(parse(t, assume["policy"].AsString()), parse(t, allowed)) || len(found) != 8 {
		t.Errorf("%d resources; bridge may %#v", len(found), assume)
	}
	if one := config(t, planOf(t, "444455556666").Terraform(), arns); one["aws_iam_role.rolecall_a_b"]["provider"] != cty.NilVal {
		t.Error("one account needs no alias")
	}
}

// TestPlanAgrees: the trust policies of a plan are those of the roles one by one.
func TestPlanAgrees(t *testing.T) {
	t.Parallel()
	policy := compile(t, several)
	tenants := policy.Tenants()
	one, err := trust.New(policy.Settings().GitLab.Issuer, tenants[0], "")
	if err != nil {
		t.Fatal(err)
	}
	hop, err := trust.NewHop(tenants[0], "b", 2)
	if err != nil {
		t.Fatal(err)
	}
	roles := planOf(t, "").Accounts[0].Roles
	single := strings.ReplaceAll(string(one.JSON()), `"Action": "sts:AssumeRoleWithWebIdentity"`, `"Action": ["sts:AssumeRoleWithWebIdentity"]`)
	single = strings.ReplaceAll(single, `"https://a/${$}{aws:x}"`, `["https://a/${$}{aws:x}"]`)
	got := roles[0].Policy
	got.Statement = got.Statement[:1]
	text, _ := json.Marshal(got)
	if diff := cmp.Diff(parse(t, single), parse(t, string(text))); diff != "" {
		t.Error(diff)
	}
	chained := strings.ReplaceAll(string(hop.JSON()), `"x:1"`, `["x:1"]`)
	if diff := cmp.Diff(parse(t, chained), parse(t, string(roles[1].TrustPolicy()))); diff != "" {
		t.Error(diff)
	}
}

// TestPlanChain: each role of a chain may assume the next one, and no other.
func TestPlanChain(t *testing.T) {
	t.Parallel()
	plan, err := trust.NewPlan(policyOf(t, "https://"+host, owned), "")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, a := range plan.Accounts {
		for _, r := range a.Roles {
			for _, p := range r.Permissions {
				got[r.ARN.Name()] += p.Name + " on " + p.Policy.Statement[0].Resource
			}
		}
	}
	want := map[string]string{"bridge": "assume-middle on arn:aws:iam::777788889999:role/ci/middle", "middle": "assume-far on arn:aws:iam::777788889999:role/far"}
	if diff := cmp.Diff(want, got); diff != "" || plan.Accounts[2].Provider != nil {
		t.Errorf("an account without a first role has a provider, or:\n%s", diff)
	}
}
