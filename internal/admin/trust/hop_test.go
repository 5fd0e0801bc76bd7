package trust_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admin/trust"
)

// chained is a tenant with a source whose chain has three roles.
const chained = `projects = ["acme/deploy"]
refs = ["main"]
ref_types = ["branch"]
duration = "2h"
[[tenant.source]]
name = "far"
provider = "aws"
role_arn = "arn:aws:iam::444455556666:role/bridge"
[[tenant.source.chain]]
role_arn = "arn:aws:iam::777788889999:role/ci/middle"
external_id = "x:1"
tags = { project = "claim:project_path" }
source_identity = "claim:user_login"
[[tenant.source.chain]]
role_arn = "arn:aws:iam::777788889999:role/far"
`

// owned is chained with a role of the tenant.
const owned = "role_arn = \"arn:aws:iam::111122223333:role/ci/deploy-alpha\"\n" + chained

// TestHops: each role of a chain trusts the one before it, for what the policy file passes.
func TestHops(t *testing.T) {
	t.Parallel()
	alpha := policyOf(t, "https://"+host, owned).Tenants()[0]
	for place, want := range map[int]string{
		2: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::444455556666:role/bridge"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"sts:ExternalId":"x:1"}}}]}`,
		3: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::777788889999:role/ci/middle"},"Action":["sts:AssumeRole"]}]}`,
	} {
		hop, err := trust.NewHop(alpha, "far", place)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(parse(t, want), parse(t, string(hop.JSON()))); diff != "" {
			t.Errorf("the trust policy at %d differs:\n%s", place, diff)
		}
		found := blocks(t, hop.HCL())
		if got := parse(t, found["aws_iam_role"]["assume_role_policy"].AsString()); !cmp.Equal(parse(t, want), got) {
			t.Errorf("the trust policy of Terraform at %d is %v", place, got)
		}
		if allowed := found["aws_iam_role_policy"]["policy"].AsString(); !strings.Contains(allowed, "sts:AssumeRole") || !strings.Contains(allowed, "arn:aws:iam::777788889999:role/") {
			t.Errorf("the role before %d is allowed %s", place, allowed)
		}
		for _, note := range hop.Notes {
			if !strings.Contains(hop.HCL(), "# "+note.String()) {
				t.Errorf("no comment says %s", note)
			}
		}
	}
}

// parse returns JSON as a value.
func parse(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

// TestHopCommands: a shell reads the commands as they are meant.
func TestHopCommands(t *testing.T) {
	t.Parallel()
	hop, err := trust.NewHop(policyOf(t, "https://"+host, owned).Tenants()[0], "far", 2)
	if err != nil {
		t.Fatal(err)
	}
	out := runShell(t, hop.Commands("my trust.json"))
	for _, want := range []string{
		"iam\ncreate-role\n--role-name\nmiddle\n--path\n/ci/\n--max-session-duration\n3600\n--assume-role-policy-document\nfile://my trust.json\n",
		"iam\nput-role-policy\n--role-name\nbridge\n--policy-name\nassume-middle\n--policy-document\n" + string(hop.Permissions()) + "\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the shell does not read %q in\n%s", want, out)
		}
	}
	const allowed = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Resource":"arn:aws:iam::777788889999:role/ci/middle"}]}`
	if string(hop.Permissions()) != allowed {
		t.Errorf("the role before is allowed %s", hop.Permissions())
	}
}

// TestTrustOfSource: the first role of a source trusts the identity provider, needs no long
// sessions if a chain follows, and may do nothing but go on.
func TestTrustOfSource(t *testing.T) {
	t.Parallel()
	policy := policyOf(t, "https://"+host, owned)
	result, err := trust.New("https://"+host, policy.Tenants()[0], "far")
	if err != nil {
		t.Fatal(err)
	}
	if !allows(readIAM(t, result.JSON()), "444455556666", "https://"+host, "project_path:acme/deploy:ref_type:branch:ref:main") {
		t.Errorf("IAM refuses the tenant's job by %s", result.JSON())
	}
	commands := result.Commands("t")
	if !strings.Contains(commands, "--max-session-duration 3600 ") || !strings.Contains(commands, "# the role of source far of tenant alpha:") || !strings.Contains(result.HCL(), `"rolecall_alpha_far"`) {
		t.Errorf("%s\n%s", commands, result.HCL())
	}
	var chain []string
	for _, note := range result.Notes {
		if note.Rule == "chain" {
			chain = append(chain, note.Text)
		}
	}
	if len(chain) != 1 || !strings.Contains(chain[0], "arn:aws:iam::777788889999:role/ci/middle: allow it nothing else but sts:AssumeRole, sts:TagSession, sts:SetSourceIdentity") {
		t.Errorf("the notes on the chain are %q", chain)
	}
}

// TestHopRefuses: there is no trust policy of what is not there.
func TestHopRefuses(t *testing.T) {
	t.Parallel()
	alpha := policyOf(t, "https://"+host, owned).Tenants()[0]
	for _, test := range []struct {
		source string
		place  int
		want   string
	}{
		{"none", 2, `tenant "alpha" has no source "none" of AWS`},
		{"", 2, "no role is at place 2 of the chain, which has 1"},
		{"far", 4, "no role is at place 4 of the chain, which has 3"},
		{"far", 0, "no role is at place 0"},
		{"far", -1, "no role is at place -1"},
	} {
		if _, err := trust.NewHop(alpha, test.source, test.place); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("source %q, place %d: %v, want %q", test.source, test.place, err, test.want)
		}
	}
}
