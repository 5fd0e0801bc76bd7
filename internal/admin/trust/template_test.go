package trust_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPlanCloudFormation: the template has the resources of an account, and refers to its own.
func TestPlanCloudFormation(t *testing.T) {
	t.Parallel()
	type resource struct {
		Type       string
		Metadata   map[string][]string
		Properties map[string]any
	}
	var found struct {
		AWSTemplateFormatVersion string
		Resources                map[string]resource
	}
	account := planOf(t, "").Accounts[0]
	if err := json.Unmarshal(account.CloudFormation(), &found); err != nil || found.AWSTemplateFormatVersion != "2010-09-09" {
		t.Fatal(err)
	}
	var ids []string
	for id, r := range found.Resources {
		ids = append(ids, id+" "+r.Type)
	}
	slices.Sort(ids)
	if diff := cmp.Diff([]string{"GitLab AWS::IAM::OIDCProvider", "RoleCC AWS::IAM::Role", "RoleCCN2 AWS::IAM::Role", "RoleDeploy AWS::IAM::Role", "RoleFar AWS::IAM::Role"}, ids); diff != "" {
		t.Error(diff)
	}
	role := found.Resources["RoleDeploy"]
	if role.Properties["RoleName"] != "deploy" || role.Properties["Path"] != "/ci/" || role.Properties["MaxSessionDuration"] != 7200. || !slices.Contains(role.Metadata["rolecall"], account.Roles[0].Notes[0]) {
		t.Errorf("%+v", role)
	}
	text, _ := json.Marshal(role.Properties["AssumeRolePolicyDocument"])
	const reference = `{"Federated":{"Fn::GetAtt":["GitLab","Arn"]}}`
	if strings.Count(string(text), reference) != 2 {
		t.Errorf("no reference to the provider in %s", text)
	}
	whole := strings.ReplaceAll(string(text), reference, `{"Federated":"`+account.Provider.ARN+`"}`)
	if diff := cmp.Diff(parse(t, string(account.Roles[0].TrustPolicy())), parse(t, whole)); diff != "" {
		t.Error(diff)
	}
	if bridge := string(planOf(t, "").Accounts[1].CloudFormation()); !strings.Contains(bridge, `"PolicyName": "assume-far"`) {
		t.Errorf("bridge may assume nothing in %s", bridge)
	}
}
