package trust_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/internal/admin/trust"
)

// TestEnd: each role of a tenant and of its chains gets the policy, in all forms.
func TestEnd(t *testing.T) {
	t.Parallel()
	a := compile(t, several).Tenants()[0]
	end, err := trust.NewEnd(a, "", time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-31T12:00:00Z"}}}]}`
	out := runShell(t, end.Commands())
	found := config(t, end.Terraform(), nil)
	for role, label := range map[string]string{"deploy": "rolecall_revoke_a", "bridge": "rolecall_revoke_a_b", "far": "rolecall_revoke_a_b_2"} {
		if !strings.Contains(out, "iam\nput-role-policy\n--role-name\n"+role+"\n--policy-name\nAWSRevokeOlderSessions\n--policy-document\n"+want+"\n") {
			t.Errorf("the shell does not set the policy of %s in\n%s", role, out)
		}
		if block := found["aws_iam_role_policy."+label]; block == nil || block["role"].AsString() != role || block["policy"].AsString() != want || block["name"].AsString() != "AWSRevokeOlderSessions" {
			t.Errorf("%s: %#v", label, block)
		}
	}
	for _, note := range []string{"changes nothing in AWS", "every role of the chain", "name no earlier time", "new jobs get new sessions"} {
		if !strings.Contains(end.Commands(), note) || !strings.Contains(string(end.Terraform()), note) {
			t.Errorf("nothing says %q", note)
		}
	}
	if strings.Contains(out, "delete-role-policy") || !strings.Contains(end.Commands(), "# aws iam delete-role-policy --role-name far ") {
		t.Errorf("the policy goes at once:\n%s", end.Commands())
	}
	one, err := trust.NewEnd(a, "b", time.Now())
	if err != nil || len(one.Roles) != 2 || one.Roles[0].ARN.Name() != "bridge" {
		t.Errorf("%+v, %v", one.Roles, err)
	}
	if _, err := trust.NewEnd(a, "none", time.Now()); err == nil || !strings.Contains(err.Error(), "no source") {
		t.Errorf("%v", err)
	}
}
