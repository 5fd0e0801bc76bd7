// Package trust writes what a tenant of a policy file needs in AWS: the trust policy of
// its role, and the identity provider of its GitLab server.
//
// IAM sees two claims of an ID token, aud and sub. It cannot check the rules about other
// claims, and its wildcard differs from that of the policy file. Each such difference is
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

// Trust is what a tenant needs in AWS.
type Trust struct {
	Notes []Note // differences between the trust policy and the tenant's rules

	tenant   tenant.Tenant
	source   string // empty: the tenant's own
	given    grant.Settings
	issuer   string // URL
	host     string // the issuer without its scheme, as IAM names it
	operator string // of the condition on sub
	subjects []string
}

// New returns what the tenant t needs in AWS, or one of its sources. Issuer is the URL of the
// issuer of its ID tokens. A role without an account is an error, since it is not a role of
// AWS.
func New(issuer string, t tenant.Tenant, source string) (Trust, error) {
	given, err := Given(t, source)
	if err != nil {
		return Trust{}, err
	}
	if given.Role.Account == "" {
		return Trust{}, fmt.Errorf("tenant %q: its role %s has no account, so it is not a role of AWS", t.Name, given.Role)
	}
	server, err := url.Parse(issuer)
	if err != nil || server.Host == "" {
		return Trust{}, fmt.Errorf("the issuer %q of the policy file is not a URL", issuer)
	}
	result := Trust{tenant: t, source: source, given: given, issuer: issuer, host: strings.TrimPrefix(issuer, server.Scheme+"://")}
	result.operator, result.subjects = condition(t)
	result.Notes = result.notes(server)
	return result, nil
}

// Given returns what a tenant gives from AWS: its own, or that of a source.
func Given(t tenant.Tenant, source string) (grant.Settings, error) {
	for _, given := range grant.All(t.Gifts) {
		if given.Name == source {
			return given.Settings, nil
		}
	}
	if source != "" {
		return grant.Settings{}, fmt.Errorf("tenant %q has no source %.80q of AWS", t.Name, source)
	}
	return grant.Settings{}, fmt.Errorf("tenant %q gives no AWS credentials of its own; name a source by --source if it has one", t.Name)
}

// condition returns the condition on the claim sub that fits the tenant's projects, ref
// types and refs. It fits GitLab's default form of sub, which a project can change.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
func condition(t tenant.Tenant) (operator string, subjects []string) {
	subjects = subjectsOf(t)
	if slices.ContainsFunc(subjects, func(s string) bool { return strings.Contains(s, "*") }) {
		return "StringLike", subjects
	}
	return "StringEquals", subjects
}

// subjectsOf returns the values that sub has in the tenant's jobs, in IAM's notation.
func subjectsOf(t tenant.Tenant) (subjects []string) {
	refs := texts(t.Refs)
	if len(refs) == 0 {
		refs = []string{"*"}
	}
	for _, project := range texts(t.Projects) {
		for _, kind := range t.RefTypes {
			for _, ref := range refs {
				subjects = append(subjects, translate("project_path:"+project+":ref_type:"+kind+":ref:"+ref))
			}
		}
	}
	return subjects
}

// texts returns the patterns as texts.
func texts(patterns []tenant.Pattern) []string {
	var written []string
	for _, p := range patterns {
		written = append(written, p.String())
	}
	return written
}

// translate returns a pattern in IAM's notation. There, * matches anything, and ? is a
// wildcard too.
func translate(pattern string) string {
	return strings.NewReplacer("**", "*", "?", "${?}").Replace(literal(pattern))
}

// literal escapes each $, which begins a variable in IAM's notation.
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
	return encode(document{"2012-10-17", []statement{{
		Effect:    "Allow",
		Principal: map[string]string{"Federated": t.provider()},
		Action:    "sts:AssumeRoleWithWebIdentity",
		Condition: conditions,
	}}})
}

// encode returns a trust policy as indented JSON. It cannot fail: the document consists
// of texts.
func encode(d any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(d)
	return text.Bytes()
}

// length returns the number of characters that IAM counts in the trust policy: all but
// white space.
func (t Trust) length() int {
	var text bytes.Buffer
	_ = json.Compact(&text, t.JSON())
	return text.Len()
}

// path returns the path of a role in IAM's form, with a / at both ends.
func path(r aws.Role) string {
	return "/" + strings.TrimSuffix(r.Path, r.Name())
}
