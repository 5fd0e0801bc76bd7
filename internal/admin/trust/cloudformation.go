package trust

import (
	"fmt"
	"strings"
)

// template is a template of CloudFormation.
//
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
type template struct {
	AWSTemplateFormatVersion string
	Description              string
	Resources                map[string]resource
}

// resource is a resource of a template.
type resource struct {
	Type       string
	Metadata   map[string][]string `json:",omitempty"`
	Properties map[string]any
}

// provider is the logical id of the identity provider.
const provider = "GitLab"

// CloudFormation returns what the account needs as a template of CloudFormation.
func (a Account) CloudFormation() []byte {
	t := template{
		AWSTemplateFormatVersion: "2010-09-09",
		Description: "What the tenants of rolecall's policy file need in account " + a.ID +
			", by rolecall trust-policy --all. Roles have names, so it needs CAPABILITY_NAMED_IAM. Policies that say what the roles may do are yours to add.",
		Resources: map[string]resource{},
	}
	own := map[string]string{}
	if p := a.Provider; p != nil {
		own[p.ARN] = provider
		t.Resources[provider] = resource{Type: "AWS::IAM::OIDCProvider", Properties: map[string]any{"Url": p.URL, "ClientIdList": p.Audiences}}
	}
	for _, r := range a.Roles {
		own[r.ARN.String()] = logical(r.ARN.Name(), own)
	}
	for _, r := range a.Roles {
		t.Resources[own[r.ARN.String()]] = r.resource(own)
	}
	return encode(t)
}

// logical returns a logical id, letters and digits, that is none of those taken.
func logical(name string, taken map[string]string) string {
	id := "Role"
	for part := range strings.FieldsFuncSeq(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') }) {
		id += strings.ToUpper(part[:1]) + part[1:]
	}
	has := func(id string) bool {
		for _, other := range taken {
			if other == id {
				return true
			}
		}
		return false
	}
	unique := id
	for n := 2; has(unique); n++ {
		unique = fmt.Sprintf("%sN%d", id, n)
	}
	return unique
}

// resource returns the role as a resource. Own are the logical ids of the template's resources by
// their ARNs.
func (r Role) resource(own map[string]string) resource {
	properties := map[string]any{
		"RoleName": r.ARN.Name(), "Path": path(r.ARN), "MaxSessionDuration": r.Seconds,
		"AssumeRolePolicyDocument": inTemplate(r.Policy, own),
	}
	var policies []map[string]any
	for _, p := range r.Permissions {
		policies = append(policies, map[string]any{"PolicyName": p.Name, "PolicyDocument": p.Policy})
	}
	if policies != nil {
		properties["Policies"] = policies
	}
	notes := append([]string{"The role of " + strings.Join(r.Of, ", and ")}, r.Notes...)
	return resource{"AWS::IAM::Role", map[string][]string{"rolecall": notes}, properties}
}

// inTemplate returns a trust policy whose principals are references, if they are of the template:
// CloudFormation then makes them first.
func inTemplate(d Document, own map[string]string) map[string]any {
	var statements []map[string]any
	for _, s := range d.Statement {
		one := map[string]any{"Effect": s.Effect, "Action": s.Action}
		for kind, who := range s.Principal { // there is one
			one["Principal"] = map[string]any{kind: who}
			if id := own[who]; id != "" {
				one["Principal"] = map[string]any{kind: map[string]any{"Fn::GetAtt": []string{id, "Arn"}}}
			}
		}
		if len(s.Condition) > 0 {
			one["Condition"] = s.Condition
		}
		statements = append(statements, one)
	}
	return map[string]any{"Version": d.Version, "Statement": statements}
}
