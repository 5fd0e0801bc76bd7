package comparison_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admin/trust"
	"rolecall/internal/admin/trust/comparison"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant/policyfile"
)

const host = "gitlab.example.com"

const policy = `[gitlab]
issuer = "https://` + host + `"
[[tenant]]
name = "alpha"
audience = "https://` + host + `"
projects = ["acme/shop", "acme/infra/*"]
refs = ["main"]
duration = "2h"
role_arn = "arn:aws:iam::111122223333:role/deploy"
[[tenant.chain]]
role_arn = "arn:aws:iam::111122223333:role/far"
external_id = "x:1"
tags = { team = "a" }
`

// plan returns the two roles of the policy file.
func plan(t *testing.T) (deploy, far trust.Role) {
	t.Helper()
	p, err := policyfile.Compile("p", []byte(policy), grant.AWS{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := trust.NewPlan(p, "")
	if err != nil {
		t.Fatal(err)
	}
	return all.Accounts[0].Roles[0], all.Accounts[0].Roles[1]
}

// parts of trust policies, as people write them.
const (
	provider = `"Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/` + host + `"}`
	action   = `"Action":"sts:AssumeRoleWithWebIdentity"`
	aud      = `"` + host + `:aud":"https://` + host + `"`
	shop     = `project_path:acme/shop:ref_type:branch:ref:main`
	infra    = `project_path:acme/infra/*:ref_type:branch:ref:main`
	subs     = `"` + host + `:sub":["` + infra + `","` + shop + `"]`
)

// statement returns a statement with conditions.
func statement(conditions string) string {
	return `{"Effect":"Allow",` + provider + `,` + action + `,"Condition":{` + conditions + `}}`
}

// found compares a role with a trust policy of these statements.
func found(t *testing.T, want trust.Role, statements string, seconds int) []string {
	t.Helper()
	content := fmt.Sprintf(`{"Role":{"Arn":%q,"MaxSessionDuration":%d,"AssumeRolePolicyDocument":{"Version":"2012-10-17","Statement":%s}}}`, want.ARN, seconds, statements)
	got, err := comparison.Read([]byte(content))
	if err != nil {
		t.Fatalf("%v in %s", err, content)
	}
	texts := []string{}
	for _, f := range comparison.Compare(host, want, got) {
		texts = append(texts, f.Kind+": "+f.Text)
	}
	return texts
}

func TestCompare(t *testing.T) {
	t.Parallel()
	deploy, _ := plan(t)
	const good = `"StringEquals":{` + aud + `},"StringLike":{` + subs + `}`
	missing := func(sub string) string {
		return `missing: it does not allow sts:AssumeRoleWithWebIdentity to Federated arn:aws:iam::111122223333:oidc-provider/` + host + `, ` + host + `:aud "https://` + host + `", ` + host + `:sub "` + sub + `"`
	}
	more := func(sub string) string {
		return strings.Replace(missing(sub), "missing: it does not allow", "wider: it allows more:", 1)
	}
	for name, test := range map[string]struct {
		statements string
		want       []string
	}{
		"another order":     {`[` + statement(good) + `]`, nil},
		"not a list":        {statement(good), nil},
		"exact as equals":   {`[` + statement(`"StringEquals":{`+aud+`,"`+host+`:sub":"`+shop+`"}`) + `,` + statement(`"StringEquals":{`+aud+`},"StringLike":{"`+host+`:sub":"`+infra+`"}`) + `]`, nil},
		"one by one":        {`[` + statement(`"StringLike":{`+aud+`,"`+host+`:sub":"`+shop+`"}`) + `,` + statement(`"StringLike":{`+aud+`,"`+host+`:sub":"`+infra+`"}`) + `]`, nil},
		"case of keys":      {statement(strings.ReplaceAll(good, host+":sub", strings.ToUpper(host)+":Sub")), nil},
		"for any value":     {statement(strings.Replace(good, "StringLike", "ForAnyValue:StringLike", 1)), nil},
		"no sub":            {statement(`"StringEquals":{` + aud + `}`), []string{"wider: no condition on " + host + ":sub: every project of the GitLab server may assume the role"}},
		"no condition":      {`{"Effect":"Allow",` + provider + `,` + action + `}`, []string{"wider: no condition on " + host + ":sub: every project of the GitLab server may assume the role"}},
		"no aud":            {statement(`"StringLike":{` + subs + `}`), []string{"wider: no condition on " + host + ":aud: a token for any audience may assume the role"}},
		"any sub":           {statement(`"StringEquals":{` + aud + `},"StringLike":{"` + host + `:sub":"project_path:*"}`), []string{`wider: the condition on ` + host + `:sub allows every project: "project_path:*"`}},
		"wider ref":         {statement(strings.Replace(good, ":ref:main\",", ":ref:*\",", 1)), []string{more(`project_path:acme/infra/*:ref_type:branch:ref:*`)}},
		"one character":     {statement(strings.Replace(good, "ref:main\"]", "ref:mai?\"]", 1)), []string{more(`project_path:acme/shop:ref_type:branch:ref:mai?`)}},
		"one is missing":    {statement(strings.Replace(good, `,"`+shop+`"`, "", 1)), []string{missing(shop)}},
		"equals is exact":   {statement(`"StringEquals":{` + aud + `,` + subs + `}`), []string{missing(infra)}},
		"another principal": {`[` + statement(good) + `,{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999999999999:root"},"Action":"sts:AssumeRole"}]`, []string{"wider: it trusts AWS arn:aws:iam::999999999999:root, which the policy file does not"}},
		"everybody":         {`[` + statement(good) + `,{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}]`, []string{"wider: it trusts every principal of AWS"}},
		"more actions":      {strings.Replace(statement(good), action, `"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`, 1), []string{"wider: it allows sts:TagSession to Federated arn:aws:iam::111122223333:oidc-provider/" + host}},
		"all actions":       {strings.Replace(statement(good), action, `"Action":"sts:*"`, 1), []string{"wider: it allows sts:* to Federated arn:aws:iam::111122223333:oidc-provider/" + host}},
		"the widest first":  {`[` + strings.Replace(statement(good), action, `"Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"]`, 1) + `,` + statement(`"StringEquals":{`+aud+`}`) + `]`, []string{"wider: no condition on " + host + ":sub: every project of the GitLab server may assume the role", "wider: it allows sts:TagSession to Federated arn:aws:iam::111122223333:oidc-provider/" + host}},
		"one is no run":     {statement(strings.Replace(good, "infra/*", "infra/?", 1)), []string{missing(infra)}},
		"one more key":      {statement(strings.Replace(good, aud, aud+`,"aws:SourceIp":"10.0.0.1"`, 1)), []string{`narrower: it also asks for aws:sourceip: "10.0.0.1"`}},
		"unknown operator":  {statement(good + `,"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}`), []string{"narrower: it also asks for IpAddress of aws:SourceIp, which is not compared"}},
		"sub not compared":  {statement(strings.Replace(good, "StringLike", "StringNotLike", 1)), []string{"wider: no condition on " + host + ":sub: every project of the GitLab server may assume the role", "narrower: it also asks for StringNotLike of " + host + ":sub, which is not compared"}},
		"denies":            {`[` + statement(good) + `,{"Sid":"No","Effect":"Deny","Principal":"*","Action":"*"}]`, []string{`narrower: a statement "No" denies, and is not compared`}},
		"all but":           {`[` + statement(good) + `,{"Effect":"Allow","NotPrincipal":{"AWS":"x"},"Action":"*"}]`, []string{"wider: a statement allows all but what it names (NotAction, NotPrincipal)"}},
	} {
		got := found(t, deploy, test.statements, 7200)
		if diff := cmp.Diff(append([]string{}, test.want...), got); diff != "" {
			t.Errorf("%s (- wanted, + found):\n%s", name, diff)
		}
	}
	if got := found(t, deploy, statement(good), 1800); len(got) != 1 || got[0] != "missing: its maximum session duration is 1800 seconds, the policy file needs 3600" {
		t.Errorf("%q", got)
	}
}

// TestCompareHop: the role of a chain trusts the one before it, for all actions and with its id.
func TestCompareHop(t *testing.T) {
	t.Parallel()
	_, far := plan(t)
	const before = `"Principal":{"AWS":["arn:aws:iam::111122223333:role/deploy"]}`
	for statements, want := range map[string]string{
		`{"Effect":"Allow",` + before + `,"Action":["sts:TagSession","sts:AssumeRole"],"Condition":{"StringEquals":{"sts:ExternalId":"x:1"}}}`: "",
		`{"Effect":"Allow",` + before + `,"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x:1"}}}`:                    `missing: it does not allow sts:TagSession to AWS arn:aws:iam::111122223333:role/deploy, sts:externalid "x:1"`,
		`{"Effect":"Allow",` + before + `,"Action":["sts:TagSession","sts:AssumeRole"]}`:                                                       "wider: it allows more: sts:TagSession to AWS arn:aws:iam::111122223333:role/deploy",
	} {
		got := found(t, far, statements, 3600)
		if want == "" && len(got) > 0 || want != "" && (len(got) == 0 || got[0] != want) {
			t.Errorf("%s: %q, want %q first", statements, got, want)
		}
	}
}

// TestOwn: what the plan itself says is the same, whatever form AWS prints it in.
func TestOwn(t *testing.T) {
	t.Parallel()
	deploy, far := plan(t)
	for _, role := range []trust.Role{deploy, far} {
		encoded, _ := json.Marshal(strings.ReplaceAll(url.QueryEscape(string(role.TrustPolicy())), "+", "%20"))
		for _, document := range []string{string(role.TrustPolicy()), string(encoded)} {
			got, err := comparison.Read([]byte(fmt.Sprintf(`{"Role":{"Arn":%q,"AssumeRolePolicyDocument":%s}}`, role.ARN, document)))
			if err != nil {
				t.Fatal(err)
			}
			if all := comparison.Compare(host, role, got); len(all) > 0 {
				t.Errorf("%s: %v", role.ARN, all)
			}
		}
	}
	for _, content := range []string{"", "{}", `{"Role":{"Arn":"x"}}`, `{"Role":{"Arn":"x","AssumeRolePolicyDocument":"%zz"}}`, `{"Role":{"Arn":"x","AssumeRolePolicyDocument":[]}}`} {
		if _, err := comparison.Read([]byte(content)); err == nil {
			t.Errorf("%q is read", content)
		}
	}
}
