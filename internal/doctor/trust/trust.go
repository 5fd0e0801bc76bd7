// Package trust writes, for a tenant of a policy file, what AWS must be told of
// it: the trust policy of its role and the identity provider of its GitLab server.
//
// IAM sees two claims of an ID token, aud and sub. What the tenant's rules say of
// others it cannot hold, and its wildcard is another one: each such difference is
// a Note.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
package trust

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant"
)

// Trust is what AWS is told of a tenant.
type Trust struct {
	Notes []Note // where AWS does other than the tenant's rules say

	tenant   tenant.Tenant
	given    grant.Settings
	issuer   string // URL
	host     string // the issuer as IAM names it, without its scheme
	operator string // of the condition on sub
	subjects []string
}

// New returns what AWS is told of the tenant t and of the issuer, a URL, of its ID
// tokens. A role without an account is an error: it is none of AWS's.
func New(issuer string, t tenant.Tenant) (Trust, error) {
	given, ok := grant.Of(t.Gifts)
	if !ok {
		return Trust{}, fmt.Errorf("tenant %q: it gives no credentials of AWS", t.Name)
	}
	if given.Role.Account == "" {
		return Trust{}, fmt.Errorf("tenant %q: its role %s has no account, so it is none of AWS's", t.Name, given.Role)
	}
	server, err := url.Parse(issuer)
	if err != nil || server.Host == "" {
		return Trust{}, fmt.Errorf("the issuer %q of the policy file is no URL", issuer)
	}
	result := Trust{tenant: t, given: given, issuer: issuer, host: strings.TrimPrefix(issuer, server.Scheme+"://")}
	result.operator, result.subjects = condition(t)
	result.Notes = result.notes(server)
	return result, nil
}

// condition returns the condition that fits the tenant's projects, ref types and
// refs, for the sub that GitLab writes unless a project is set to another.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
func condition(t tenant.Tenant) (operator string, subjects []string) {
	refs := texts(t.Refs)
	if len(refs) == 0 {
		refs = []string{"*"}
	}
	operator = "StringEquals"
	for _, project := range texts(t.Projects) {
		for _, kind := range t.RefTypes {
			for _, ref := range refs {
				subjects = append(subjects, translate("project_path:"+project+":ref_type:"+kind+":ref:"+ref))
			}
		}
	}
	if slices.ContainsFunc(subjects, func(s string) bool { return strings.Contains(s, "*") }) {
		operator = "StringLike"
	}
	return operator, subjects
}

// texts returns patterns as they are written.
func texts(patterns []tenant.Pattern) []string {
	var written []string
	for _, p := range patterns {
		written = append(written, p.String())
	}
	return written
}

// translate returns a pattern in the notation of IAM, whose * matches anything and
// where ? has a meaning too.
func translate(pattern string) string {
	return strings.NewReplacer("**", "*", "?", "${?}").Replace(literal(pattern))
}

// literal returns text with the $ of what IAM would read as a variable escaped.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func literal(text string) string { return strings.ReplaceAll(text, "$", "${$}") }

// provider returns the ARN of the identity provider.
func (t Trust) provider() string {
	role := t.given.Role
	return "arn:" + role.Partition + ":iam::" + role.Account + ":oidc-provider/" + t.host
}

// document is a trust policy.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type document struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Principal map[string]string
	Action    string
	Condition map[string]map[string]any
}

// JSON returns the trust policy, for --assume-role-policy-document.
func (t Trust) JSON() []byte {
	conditions := map[string]map[string]any{"StringEquals": {t.host + ":aud": literal(t.tenant.Audience)}}
	if conditions[t.operator] == nil {
		conditions[t.operator] = map[string]any{}
	}
	conditions[t.operator][t.host+":sub"] = t.subjects
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(document{"2012-10-17", []statement{{
		Effect:    "Allow",
		Principal: map[string]string{"Federated": t.provider()},
		Action:    "sts:AssumeRoleWithWebIdentity",
		Condition: conditions,
	}}}) // a buffer takes all, and texts are always JSON
	return text.Bytes()
}

// size returns how many characters of the trust policy IAM counts: those that are
// not white space.
func (t Trust) size() int {
	var text bytes.Buffer
	_ = json.Compact(&text, t.JSON())
	return text.Len()
}

// path returns the path of a role in IAM's form, with a / at both ends.
func path(r aws.Role) string {
	return "/" + strings.TrimSuffix(r.Path, r.Name())
}
