package trust

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Commands returns the commands of the AWS CLI that create the identity provider
// and the role, whose trust policy lies in file.
func (t Trust) Commands(file string) string {
	role := t.given.Role
	create := []string{
		"--role-name " + shell(role.Name()), "--path " + shell(path(role)),
		fmt.Sprintf("--max-session-duration %d", t.seconds()), "--assume-role-policy-document " + shell("file://"+file),
	}
	return fmt.Sprintf(`# in account %s, once for all tenants of this issuer and audience:
aws iam create-open-id-connect-provider --url %s --client-id-list %s
# if the provider exists already, add the audience:
aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn %s --client-id %s
# the role of %s:
aws iam create-role %s
# or, if the role exists already:
aws iam update-assume-role-policy --role-name %s --policy-document %s
`, role.Account, shell(t.issuer), shell(t.tenant.Audience), shell(t.provider()), shell(t.tenant.Audience),
		t.whose(), strings.Join(create, " "), shell(role.Name()), shell("file://"+file))
}

// whose names the tenant, and the source if it is that of one.
func (t Trust) whose() string {
	if t.source == "" {
		return "tenant " + string(t.tenant.Name)
	}
	return "source " + t.source + " of tenant " + string(t.tenant.Name)
}

// label returns the name of a resource of Terraform for the role at a place of a chain.
func label(name, source string, place int) string {
	parts := []string{"rolecall", name, source}
	if place > 1 {
		parts = append(parts, strconv.Itoa(place))
	}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "_")
}

// shell quotes text for a shell if necessary.
func shell(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@+=,"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// HCL returns identity provider and role as a configuration of Terraform or OpenTofu.
// JSON is valid HCL, except for ${ and %{.
//
// https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/iam_openid_connect_provider
func (t Trust) HCL() string {
	var text strings.Builder
	for _, note := range t.Notes {
		fmt.Fprintf(&text, "# %s\n", oneLine(note.String()))
	}
	policy := escapeTemplates(strings.TrimSpace(string(t.JSON())))
	policy = strings.Replace(policy, quote(t.provider()), "aws_iam_openid_connect_provider.gitlab.arn", 1)
	role := t.given.Role
	fmt.Fprintf(&text, `
# One provider per account: list the audiences of all its tenants in client_id_list.
resource "aws_iam_openid_connect_provider" "gitlab" {
  url            = %s
  client_id_list = [%s]
}

resource "aws_iam_role" %s {
  name                 = %s
  path                 = %s
  max_session_duration = %d
  assume_role_policy   = jsonencode(%s)
}
`, quote(t.issuer), quote(t.tenant.Audience), quote(label(string(t.tenant.Name), t.source, 1)), quote(role.Name()), quote(path(role)),
		t.seconds(), strings.ReplaceAll(policy, "\n", "\n  "))
	return text.String()
}

// quote returns text as a string of HCL.
func quote(text string) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a text is always JSON
	return escapeTemplates(strings.TrimSpace(quoted.String()))
}

// escapeTemplates escapes the signs that start a template in HCL.
func escapeTemplates(text string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(text)
}

// oneLine returns text on one line.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
