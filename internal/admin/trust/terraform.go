package trust

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Terraform returns the plan as a configuration of Terraform or OpenTofu. With several accounts,
// each has a provider of its own, by an alias.
//
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_role
func (p Plan) Terraform() []byte {
	file := hclwrite.NewEmptyFile()
	body := file.Body()
	w := writer{body, p.arns(), len(p.Accounts) > 1}
	w.comment("What the tenants of rolecall's policy file need in AWS, by rolecall trust-policy --all.")
	w.comment("Policies that say what the roles may do are yours to add.")
	if w.several {
		w.aliases(p)
	}
	for _, a := range p.Accounts {
		body.AppendNewline()
		w.comment("Account " + a.ID + ".")
		w.account(a)
	}
	return hclwrite.Format(file.Bytes())
}

// arns returns the expressions of Terraform for the ARNs of the plan's own resources.
func (p Plan) arns() map[string]string {
	all := map[string]string{}
	for _, a := range p.Accounts {
		if a.Provider != nil {
			all[a.Provider.ARN] = "aws_iam_openid_connect_provider." + a.label()
		}
		for _, r := range a.Roles {
			all[r.ARN.String()] = "aws_iam_role." + r.label
		}
	}
	return all
}

// label returns the name of the identity provider of an account.
func (a Account) label() string { return "gitlab_" + a.ID }

// alias returns the alias of the provider of Terraform for an account.
func (a Account) alias() string { return "account_" + a.ID }

// writer writes a configuration.
type writer struct {
	body    *hclwrite.Body
	arns    map[string]string
	several bool // there are several accounts
}

// comment writes a line of comment.
func (w writer) comment(text string) {
	w.body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + oneLine(text) + "\n")}})
}

// aliases says which providers of Terraform are needed.
func (w writer) aliases(p Plan) {
	w.comment("There are several accounts. Each needs a provider with credentials for it, such as:")
	for _, a := range p.Accounts {
		w.comment(fmt.Sprintf("provider \"aws\" { alias = %q ... }", a.alias()))
	}
	w.comment("--account ID prints one account, without an alias.")
}

// account writes what an account needs.
func (w writer) account(a Account) {
	if p := a.Provider; p != nil {
		block := w.resource("aws_iam_openid_connect_provider", a.label(), a)
		block.SetAttributeValue("url", cty.StringVal(p.URL))
		block.SetAttributeValue("client_id_list", listOf(p.Audiences))
	}
	for _, r := range a.Roles {
		w.role(a, r)
	}
}

// resource begins a resource in an account.
func (w writer) resource(kind, name string, a Account) *hclwrite.Body {
	block := w.body.AppendNewBlock("resource", []string{kind, name}).Body()
	if w.several {
		block.SetAttributeTraversal("provider", traversal("aws."+a.alias()))
	}
	return block
}

// role writes a role, with what is known of it in comments.
func (w writer) role(a Account, r Role) {
	w.body.AppendNewline()
	w.comment("The role of " + strings.Join(r.Of, ", and ") + ".")
	for _, note := range r.Notes {
		w.comment(note)
	}
	block := w.resource("aws_iam_role", r.label, a)
	block.SetAttributeValue("name", cty.StringVal(r.ARN.Name()))
	block.SetAttributeValue("path", cty.StringVal(path(r.ARN)))
	block.SetAttributeValue("max_session_duration", cty.NumberIntVal(r.Seconds))
	block.SetAttributeRaw("assume_role_policy", w.document(r.Policy))
	for i, p := range r.Permissions {
		w.body.AppendNewline()
		block := w.resource("aws_iam_role_policy", fmt.Sprintf("%s_assume_%d", r.label, i+1), a)
		block.SetAttributeValue("name", cty.StringVal(p.Name))
		block.SetAttributeTraversal("role", traversal("aws_iam_role."+r.label+".name"))
		block.SetAttributeRaw("policy", w.document(p.Policy))
	}
}

// document returns the expression of a policy.
func (w writer) document(d Document) hclwrite.Tokens {
	statements := make([]hclwrite.Tokens, len(d.Statement))
	for i, s := range d.Statement {
		statements[i] = w.statement(s)
	}
	return hclwrite.TokensForFunctionCall("jsonencode", object(
		member{"Version", text(d.Version)},
		member{"Statement", hclwrite.TokensForTuple(statements)},
	))
}

// statement returns the expression of a statement.
func (w writer) statement(s Statement) hclwrite.Tokens {
	parts := []member{{"Effect", text(s.Effect)}}
	for kind, who := range s.Principal { // there is one
		parts = append(parts, member{"Principal", object(member{kind, w.arn(who)})})
	}
	parts = append(parts, member{"Action", hclwrite.TokensForValue(listOf(s.Action))})
	if s.Resource != "" {
		parts = append(parts, member{"Resource", text(s.Resource)})
	}
	if len(s.Condition) > 0 {
		parts = append(parts, member{"Condition", conditions(s.Condition)})
	}
	return object(parts...)
}

// arn returns the expression of an ARN: a reference, if it is of a resource of the plan. Then
// Terraform makes that resource first.
func (w writer) arn(arn string) hclwrite.Tokens {
	if resource := w.arns[arn]; resource != "" {
		return hclwrite.TokensForTraversal(traversal(resource + ".arn"))
	}
	return text(arn)
}

// conditions returns the expression of conditions.
func conditions(all map[string]map[string][]string) hclwrite.Tokens {
	var operators []member
	for _, operator := range slices.Sorted(maps.Keys(all)) {
		var keys []member
		for _, key := range slices.Sorted(maps.Keys(all[operator])) {
			keys = append(keys, member{key, hclwrite.TokensForValue(listOf(all[operator][key]))})
		}
		operators = append(operators, member{operator, object(keys...)})
	}
	return object(operators...)
}

// member is a member of an object: its name and the expression of its value.
type member struct {
	name  string
	value hclwrite.Tokens
}

// object returns the expression of an object.
func object(members ...member) hclwrite.Tokens {
	var attributes []hclwrite.ObjectAttrTokens
	for _, m := range members {
		key := text(m.name)
		if hclsyntax.ValidIdentifier(m.name) {
			key = hclwrite.TokensForIdentifier(m.name)
		}
		attributes = append(attributes, hclwrite.ObjectAttrTokens{Name: key, Value: m.value})
	}
	return hclwrite.TokensForObject(attributes)
}

// text returns the expression of a text, with the signs of templates escaped.
func text(value string) hclwrite.Tokens { return hclwrite.TokensForValue(cty.StringVal(value)) }

// listOf returns a list of texts.
func listOf(values []string) cty.Value {
	all := make([]cty.Value, len(values))
	for i, v := range values {
		all[i] = cty.StringVal(v)
	}
	return cty.TupleVal(all)
}

// traversal returns a reference, of names with dots between them.
func traversal(path string) hcl.Traversal {
	var t hcl.Traversal
	for i, name := range strings.Split(path, ".") {
		if i == 0 {
			t = append(t, hcl.TraverseRoot{Name: name})
			continue
		}
		t = append(t, hcl.TraverseAttr{Name: name})
	}
	return t
}
