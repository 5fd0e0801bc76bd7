package trust_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

const wild = `projects = ["acme/deploy", "acme/infra/*", "acme/live/**"]
refs = ["main", "release/*"]
ref_types = ["branch"]
duration = "2h"
`

// blocks parses HCL as Terraform does, and returns the attributes of its resources
// by their types.
func blocks(t *testing.T, text string) map[string]map[string]cty.Value {
	t.Helper()
	file, problems := hclsyntax.ParseConfig([]byte(text), "main.tf", hcl.InitialPos)
	if problems.HasErrors() {
		t.Fatalf("%v in\n%s", problems, text)
	}
	scope := &hcl.EvalContext{
		Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc},
		Variables: map[string]cty.Value{"aws_iam_openid_connect_provider": cty.ObjectVal(map[string]cty.Value{
			"gitlab": cty.ObjectVal(map[string]cty.Value{"arn": cty.StringVal("arn:aws:iam::111122223333:oidc-provider/" + host)}),
		})},
	}
	found := map[string]map[string]cty.Value{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		values := map[string]cty.Value{"label": cty.StringVal(block.Labels[1])}
		for name, attribute := range block.Body.Attributes {
			value, problems := attribute.Expr.Value(scope)
			if problems.HasErrors() {
				t.Fatalf("%s: %v in\n%s", name, problems, text)
			}
			values[name] = value
		}
		found[block.Labels[0]] = values
	}
	return found
}

func TestHCL(t *testing.T) {
	t.Parallel()
	result := newTrust(t, policyOf(t, "https://"+host, wild))
	found := blocks(t, result.HCL())
	provider, role := found["aws_iam_openid_connect_provider"], found["aws_iam_role"]
	if provider["url"].AsString() != "https://"+host || provider["client_id_list"].Index(cty.Zero).AsString() != "https://"+host {
		t.Errorf("the provider is %#v", provider)
	}
	if role["label"].AsString() != "rolecall_alpha" || role["name"].AsString() != "deploy-alpha" || role["path"].AsString() != "/ci/" ||
		!role["max_session_duration"].RawEquals(cty.NumberIntVal(7200)) {
		t.Errorf("the role is %#v", role)
	}
	if strings.Contains(string(result.JSON()), "**") {
		t.Errorf("IAM has no ** but in %s", result.JSON())
	}
	var want, got any
	if err := json.Unmarshal(result.JSON(), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(role["assume_role_policy"].AsString()), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the trust policy in HCL differs from the JSON:\n%s", diff)
	}
	for _, note := range result.Notes {
		if !strings.Contains(result.HCL(), "# "+note.String()) {
			t.Errorf("no comment says %s", note)
		}
	}
}

// TestHCLEscapes checks a text that would be a template of HCL and a variable of
// IAM.
func TestHCLEscapes(t *testing.T) {
	t.Parallel()
	const audience = "https://x/${aws:username}%{if}'\"\\<&>"
	content := "[gitlab]\nissuer = \"https://" + host + "\"\n[[tenant]]\nname = \"0-9\"\naudience = '''" + audience + "'''\nprojects = [\"acme/deploy\"]\n" +
		"role_arn = \"arn:aws:iam::111122223333:role/deploy\"\n"
	policy := compile(t, content)
	result := newTrust(t, policy)
	document := readIAM(t, result.JSON())
	if !allows(document, "111122223333", audience, "project_path:acme/deploy:ref_type:branch:ref:main") {
		t.Errorf("IAM refuses the audience in %s", result.JSON())
	}
	found := blocks(t, result.HCL())
	if got := found["aws_iam_openid_connect_provider"]["client_id_list"].Index(cty.Zero).AsString(); got != audience {
		t.Errorf("the audience is %s", got)
	}
	fromHCL := readIAM(t, []byte(found["aws_iam_role"]["assume_role_policy"].AsString()))
	if !allows(fromHCL, "111122223333", audience, "project_path:acme/deploy:ref_type:branch:ref:main") {
		t.Errorf("IAM refuses the audience in %s", result.HCL())
	}
	out := runShell(t, result.Commands("trust.json"))
	if !strings.Contains(out, "--client-id-list\n"+audience+"\n") {
		t.Errorf("the shell makes of the commands\n%s", out)
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	out := runShell(t, newTrust(t, policyOf(t, "https://"+host, wild)).Commands("my trust.json"))
	for _, want := range []string{
		"iam\ncreate-open-id-connect-provider\n--url\nhttps://" + host + "\n--client-id-list\nhttps://" + host + "\n",
		"iam\ncreate-role\n--role-name\ndeploy-alpha\n--path\n/ci/\n--max-session-duration\n7200\n--assume-role-policy-document\nfile://my trust.json\n",
		"iam\nupdate-assume-role-policy\n--role-name\ndeploy-alpha\n--policy-document\nfile://my trust.json\n",
		"--open-id-connect-provider-arn\narn:aws:iam::111122223333:oidc-provider/" + host + "\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the shell does not read %q in\n%s", want, out)
		}
	}
}

// runShell returns the arguments that a shell gives to aws, each on a line.
func runShell(t *testing.T, commands string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", "-euc", `aws() { printf '%s\n' "$@"; }`+"\n"+commands).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}
