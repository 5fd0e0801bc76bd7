package admin_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/kit"
)

// trust calls a command with the world's policy file.
func (w *world) call(t *testing.T, line string) result {
	t.Helper()
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	return run("", append(strings.Fields(line), "--config", policy)...)
}

func TestTrustPolicyAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.dir, "out")
	for line, want := range map[string]struct {
		code int
		says string
	}{
		"trust-policy --all":                                                       {0, `"account": "444455556666"`},
		"trust-policy --all --json":                                                {0, `"trust_policy": {`},
		"trust-policy --all --terraform":                                           {0, "= aws.account_444455556666"},
		"trust-policy --all --format terraform --account 444455556666":             {0, `resource "aws_iam_role" "rolecall_beta"`},
		"trust-policy --all --format cloudformation --account 444455556666":        {0, `"RoleName": "deploy-beta"`},
		"trust-policy --tenant alpha --format terraform":                           {0, `resource "aws_iam_role" "rolecall_alpha"`},
		"trust-policy --tenant alpha --format json":                                {0, `"Version": "2012-10-17"`},
		"trust-policy --all --format cloudformation":                               {2, "there are 111122223333, 444455556666: choose one by --account, or give --out-dir"},
		"trust-policy --all --account 999999999999":                                {1, `no role in account "999999999999"`},
		"trust-policy --all --tenant alpha":                                        {2, "remove --tenant, --source and --hop"},
		"trust-policy --all --compare x":                                           {2, "contradict each other"},
		"trust-policy --all --terraform --json":                                    {2, "--json and --format contradict each other"},
		"trust-policy --all --format cloudformation --json":                        {2, "--json and --format contradict each other"},
		"trust-policy --all --format terraform --json --out-dir " + dir:            {0, `"` + dir + `/111122223333/rolecall.tf",`},
		"trust-policy --all --format yaml":                                         {2, "want json, terraform or cloudformation"},
		"trust-policy --all --terraform --format json":                             {2, "--terraform and --format contradict each other"},
		"trust-policy --tenant alpha --out-dir x":                                  {2, "go with --all"},
		"trust-policy --compare /none":                                             {2, "/none"},
		"trust-policy --all --provider x":                                          {2, "--provider goes with --compare"},
		"trust-policy --all --format terraform --out-dir " + dir:                   {0, dir + "/111122223333/rolecall.tf\n" + dir + "/444455556666/rolecall.tf\n"},
		"trust-policy --all --format cloudformation --out-dir " + dir:              {0, dir + "/444455556666/rolecall.template.json\n"},
		"trust-policy --all --account 111122223333 --format json --out-dir " + dir: {0, dir + "/111122223333/deploy-alpha.trust.json\n"},
	} {
		got := w.call(t, line)
		if got.code != want.code || !strings.Contains(got.out+got.errors, want.says) {
			t.Errorf("%s: exit code %d, want %d with %q in\n%s%s", line, got.code, want.code, want.says, got.out, got.errors)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "444455556666/rolecall.tf"))
	kit.Must(t, err)
	if strings.Contains(string(text), "account_") || strings.Contains(string(text), "deploy-alpha") {
		t.Errorf("a file is for one account:\n%s", text)
	}
}

// TestComparePolicies: a role that AWS has as the plan says is the same; without sub it is wide.
func TestComparePolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = strings.Replace(w.policy, w.gitlab.Issuer(), "https://gitlab.example.com", 1)
	trusted := w.call(t, "trust-policy --tenant alpha").out
	role := func(trusted, arn string) string {
		content, _ := json.Marshal(map[string]any{"Role": map[string]any{"Arn": arn, "MaxSessionDuration": 7200, "AssumeRolePolicyDocument": json.RawMessage(trusted)}})
		return "trust-policy --compare " + w.write(t, "role.json", content)
	}
	const arn = "arn:aws:iam::111122223333:role/deploy-alpha"
	if got := w.call(t, role(trusted, arn)); got.code != 0 || got.out != arn+", the role of tenant alpha: as the policy file says\n" {
		t.Errorf("%+v", got)
	}
	narrow := strings.Replace(trusted, `"StringEquals": {`, `"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {`, 1)
	if got := w.call(t, role(narrow, arn)); got.code != 0 || !strings.Contains(got.out, "not wider than the policy file says\nnarrower  it also asks for IpAddress") {
		t.Errorf("%+v", got)
	}
	wide := strings.Replace(trusted, "gitlab.example.com:sub", "aws:x\x1b", 1)
	wide = strings.Replace(wide, "\x1b", `\u001b`, 1)
	got := w.call(t, role(wide, arn)+" --json")
	var told struct {
		Verdict  string
		Findings []struct{ Kind, Text string }
	}
	if err := json.Unmarshal([]byte(got.out), &told); err != nil || got.code != 1 || told.Verdict != "different" || !strings.Contains(told.Findings[0].Text, "every project of the GitLab server") {
		t.Errorf("%v, %+v", err, got)
	}
	if got := w.call(t, role(wide, arn)); got.code != 1 || strings.Contains(got.out, "\x1b") || !strings.Contains(got.out, ": not as the policy file says\nwider     no condition on gitlab.example.com:sub") {
		t.Errorf("%+v", got)
	}
	if got := w.call(t, role(trusted, "arn:aws:iam::111122223333:role/other")); got.code != 1 || !strings.Contains(got.errors, "nothing to compare with") {
		t.Errorf("%+v", got)
	}
	if got := w.call(t, "trust-policy --compare "+w.write(t, "x.json", []byte("{}"))); got.code != 2 || !strings.Contains(got.errors, "aws iam get-role") {
		t.Errorf("%+v", got)
	}
}

// TestCompareProvider: an identity provider that lacks an audience of the account, or is that of
// another server, is no good. Other audiences and thumbprints do not matter.
func TestCompareProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = strings.Replace(w.policy, w.gitlab.Issuer(), "https://gitlab.example.com", 1)
	var plan struct {
		Accounts []struct {
			Provider struct{ Audiences []string }
		}
	}
	kit.Must(t, json.Unmarshal([]byte(w.call(t, "trust-policy --all").out), &plan))
	audiences := plan.Accounts[0].Provider.Audiences
	content, err := json.Marshal(map[string]any{"Role": map[string]any{
		"Arn": "arn:aws:iam::111122223333:role/deploy-alpha", "MaxSessionDuration": 7200,
		"AssumeRolePolicyDocument": json.RawMessage(w.call(t, "trust-policy --tenant alpha").out),
	}})
	kit.Must(t, err)
	line := "trust-policy --compare " + w.write(t, "role.json", content) + " --provider "
	for name, test := range map[string]struct {
		url       string
		audiences []string
		code      int
		says      string
	}{
		"the same":       {"gitlab.example.com", append([]string{"sts.amazonaws.com"}, audiences...), 0, ": as the policy file says\n"},
		"no audience":    {"gitlab.example.com", []string{"sts.amazonaws.com"}, 1, "missing   the identity provider does not have the audience " + audiences[0] + "\n"},
		"another server": {"other.example.com", audiences, 1, "missing   the identity provider is that of other.example.com, and the policy file has gitlab.example.com\n"},
		"no provider":    {"", audiences, 2, "get-open-id-connect-provider prints"},
	} {
		text, err := json.Marshal(map[string]any{"Url": test.url, "ClientIDList": test.audiences, "ThumbprintList": []string{"0"}})
		kit.Must(t, err)
		if got := w.call(t, line+w.write(t, "provider.json", text)); got.code != test.code || !strings.Contains(got.out+got.errors, test.says) {
			t.Errorf("%s: exit code %d, want %d with %q:\n%s%s", name, got.code, test.code, test.says, got.out, got.errors)
		}
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for line, want := range map[string]struct {
		code int
		says string
	}{
		"revoke --tenant alpha": {0, "# rolecall changes nothing in AWS"},
		"revoke --tenant alpha --before 2026-01-31T13:00:00+01:00":   {0, `"aws:TokenIssueTime":"2026-01-31T12:00:00Z"`},
		"revoke --tenant alpha --format terraform":                   {0, `resource "aws_iam_role_policy" "rolecall_revoke_alpha"`},
		"revoke --tenant alpha --json --before 2026-01-31T12:00:00Z": {0, `"before": "2026-01-31T12:00:00Z"`},
		"revoke --tenant alpha --format json":                        {0, `"policy_name": "AWSRevokeOlderSessions"`},
		"revoke":                                                     {2, "--tenant"},
		"revoke --tenant gamma":                                      {1, `no tenant "gamma"`},
		"revoke --tenant alpha --source x":                           {1, `no source "x"`},
		"revoke --tenant alpha --before yesterday":                   {2, "want a time such as"},
		"revoke --tenant alpha --before 2999-01-31T12:00:00Z":        {2, "is to come"},
		"revoke --tenant alpha --format yaml":                        {2, "want cli, json or terraform"},
	} {
		got := w.call(t, line)
		if got.code != want.code || !strings.Contains(got.out+got.errors, want.says) {
			t.Errorf("%s: exit code %d, want %d with %q in\n%s%s", line, got.code, want.code, want.says, got.out, got.errors)
		}
	}
	var told struct{ Before time.Time }
	if err := json.Unmarshal([]byte(w.call(t, "revoke --tenant alpha --json").out), &told); err != nil || time.Since(told.Before) > time.Minute || time.Since(told.Before) < 0 {
		t.Errorf("%v: sessions end from before %s", err, told.Before)
	}
}
