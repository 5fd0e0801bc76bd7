package trust

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
)

// revokes is the name that AWS's own console gives the policy. A newer one replaces an older one.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
const revokes = "AWSRevokeOlderSessions"

// End is what ends the sessions of a tenant's roles in AWS.
type End struct {
	Tenant string    `json:"tenant"`
	Before time.Time `json:"before"`
	Name   string    `json:"policy_name"`
	Policy any       `json:"policy"`
	Roles  []EndRole `json:"roles"`
	Notes  []string  `json:"notes"`
}

// EndRole is a role whose sessions end.
type EndRole struct {
	ARN   aws.Role `json:"role"`
	Of    string   `json:"of"`
	label string
}

// NewEnd returns what ends the sessions of a tenant that began before a time: of its own role and
// all sources, or of the one source that is named. Each role of a chain is among them, since the
// session of each has a time of its own.
func NewEnd(t tenant.Tenant, source string, before time.Time) (End, error) {
	e := End{Tenant: string(t.Name), Before: before, Name: revokes}
	if source != "" {
		if _, err := Given(t, source); err != nil {
			return End{}, err
		}
	}
	for _, given := range grant.All(t.Gifts) {
		if source == "" || given.Name == source {
			e.add(Trust{tenant: t, source: given.Name}.whose(), string(t.Name), given)
		}
	}
	if len(e.Roles) == 0 {
		return End{}, fmt.Errorf("tenant %q has no role of AWS: nothing to revoke there", t.Name)
	}
	e.Policy = policyOf(before)
	e.Notes = e.notes()
	return e, nil
}

// add adds the roles of a tenant or a source, each once.
func (e *End) add(whose, name string, given grant.Given) {
	roles := []aws.Role{given.Role}
	for _, h := range given.Chain {
		roles = append(roles, h.Role)
	}
	for i, role := range roles {
		of := whose
		if i > 0 {
			of = fmt.Sprintf("role %d of the chain of %s", i+1, whose)
		}
		if !e.has(role) {
			e.Roles = append(e.Roles, EndRole{role, of, label(name, given.Name, i+1)})
		}
	}
}

// has reports whether the role is there already.
func (e *End) has(role aws.Role) bool {
	for _, r := range e.Roles {
		if r.ARN == role {
			return true
		}
	}
	return false
}

// policyOf returns the policy that denies everything to sessions from before a time.
func policyOf(before time.Time) any {
	return denial{version, []denied{{"Deny", "*", "*", map[string]map[string]string{"DateLessThan": {"aws:TokenIssueTime": before.Format(time.RFC3339)}}}}}
}

// denial is a policy that denies, in the form that AWS's console gives it.
type denial struct {
	Version   string
	Statement []denied
}

// denied is its statement.
type denied struct {
	Effect, Action, Resource string
	Condition                map[string]map[string]string
}

// notes returns what the policy does and does not do.
func (e *End) notes() []string {
	return []string{
		"rolecall changes nothing in AWS: set the policies yourself, with credentials that may call iam:PutRolePolicy on each role",
		"the policy denies everything to all sessions of the role from before " + e.Before.Format(time.RFC3339) + ", whoever has them, also those of other tenants, runners and people",
		"jobs that run lose their credentials, with delivery by endpoint until the next renewal; new jobs get new sessions: to stop those too, run rolecall suspend, or change the trust policy",
		"in a chain the session of each role has its own time: every role of the chain needs the policy",
		"the policy replaces one of the same name, also one that ends later sessions: name no earlier time than the last one",
		"it can take some minutes until all of AWS knows the policy",
		"the policy can go when the longest session from before that time is over: 12 hours at most, 1 hour in a chain",
		"what is not AWS's is not ended: credentials of other sources, and those that a job has made itself, such as keys of IAM users",
	}
}

// document returns the policy as JSON on a line.
func (e End) document() string {
	text, _ := json.Marshal(e.Policy) // cannot fail: texts can always be encoded
	return string(text)
}

// Commands returns the commands of the AWS CLI that set the policy, and those that remove it.
func (e End) Commands() string {
	text := ""
	for _, note := range e.Notes {
		text += "# " + note + "\n"
	}
	for _, r := range e.Roles {
		text += fmt.Sprintf("\n# in account %s, the role of %s:\naws iam put-role-policy --role-name %s --policy-name %s --policy-document %s\n",
			r.ARN.Account, r.Of, shell(r.ARN.Name()), e.Name, shell(e.document()))
	}
	text += "\n# later, to remove it:\n"
	for _, r := range e.Roles {
		text += fmt.Sprintf("# aws iam delete-role-policy --role-name %s --policy-name %s\n", shell(r.ARN.Name()), e.Name)
	}
	return text
}

// Terraform returns the policies as a configuration of Terraform or OpenTofu.
func (e End) Terraform() []byte {
	file := hclwrite.NewEmptyFile()
	w := writer{body: file.Body()}
	for _, note := range e.Notes {
		w.comment(note)
	}
	for _, r := range e.Roles {
		w.body.AppendNewline()
		w.comment(fmt.Sprintf("In account %s, the role of %s.", r.ARN.Account, r.Of))
		block := w.body.AppendNewBlock("resource", []string{"aws_iam_role_policy", strings.ReplaceAll(r.label, "rolecall_", "rolecall_revoke_")}).Body()
		block.SetAttributeValue("name", cty.StringVal(e.Name))
		block.SetAttributeValue("role", cty.StringVal(r.ARN.Name()))
		block.SetAttributeValue("policy", cty.StringVal(e.document()))
	}
	return hclwrite.Format(file.Bytes())
}
