package trust_test

import (
	"fmt"
	"strings"
	"testing"

	"rolecall/test/cloud/trust"
	"rolecall/test/kit"
)

const (
	provider = "arn:aws:iam::111122223333:oidc-provider/gitlab.example.com"
	assume   = "sts:AssumeRoleWithWebIdentity"
)

// document returns a trust policy of statements.
func document(statements ...string) string {
	return `{"Version": "2012-10-17", "Statement": [` + strings.Join(statements, ", ") + "]}"
}

// statement returns a statement for the provider.
func statement(effect, action, conditions string) string {
	return fmt.Sprintf(`{"Effect": %q, "Principal": {"Federated": %q}, "Action": %s, "Condition": {%s}}`, effect, provider, action, conditions)
}

// asks returns who asks for a role, with a subject.
func asks(sub string) trust.Request {
	return trust.Request{Provider: provider, Actions: []string{assume}, Keys: map[string][]string{
		"gitlab.example.com:sub": {sub}, "gitlab.example.com:aud": {"https://a", "https://b"},
	}}
}

// TestConditions judges one condition at a time.
func TestConditions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		condition, sub string
		want           bool
	}{
		"equal":                     {`"StringEquals": {"gitlab.example.com:sub": "a"}`, "a", true},
		"one of several":            {`"StringEquals": {"gitlab.example.com:sub": ["b", "a"]}`, "a", true},
		"none of several":           {`"StringEquals": {"gitlab.example.com:sub": ["b", "c"]}`, "a", false},
		"other case":                {`"StringEquals": {"gitlab.example.com:sub": "A"}`, "a", false},
		"a star is a character":     {`"StringEquals": {"gitlab.example.com:sub": "a*"}`, "ab", false},
		"a star":                    {`"StringLike": {"gitlab.example.com:sub": "a*:c"}`, "a/b:b:c", true},
		"a star over lines":         {`"StringLike": {"gitlab.example.com:sub": "a*c"}`, "a\nc", true},
		"a star in the middle only": {`"StringLike": {"gitlab.example.com:sub": "a*c"}`, "abcd", false},
		"a question mark":           {`"StringLike": {"gitlab.example.com:sub": "a?c"}`, "abc", true},
		"a question mark is one":    {`"StringLike": {"gitlab.example.com:sub": "a?c"}`, "ac", false},
		"an escaped star":           {`"StringLike": {"gitlab.example.com:sub": "a${*}"}`, "a*", true},
		"an escaped star is none":   {`"StringLike": {"gitlab.example.com:sub": "a${*}"}`, "ab", false},
		"an escaped dollar":         {`"StringEquals": {"gitlab.example.com:sub": "a${$}{b}"}`, "a${b}", true},
		"a variable":                {`"StringLike": {"gitlab.example.com:sub": "a${aws:username}"}`, "a${aws:username}", false},
		"a dot is a dot":            {`"StringLike": {"gitlab.example.com:sub": "a.*"}`, "abc", false},
		"a key of other case":       {`"StringEquals": {"GitLab.example.com:Sub": "a"}`, "a", true},
		"a key that is not there":   {`"StringLike": {"gitlab.example.com:ref": "*"}`, "a", false},
		"an address as key":         {`"StringLike": {"https://gitlab.example.com:sub": "*"}`, "a", false},
		"one of two values":         {`"StringEquals": {"gitlab.example.com:aud": "https://b"}`, "a", true},
		"both conditions":           {`"StringEquals": {"gitlab.example.com:aud": "https://b", "gitlab.example.com:sub": "a"}`, "a", true},
		"one of both conditions":    {`"StringEquals": {"gitlab.example.com:aud": "https://b", "gitlab.example.com:sub": "b"}`, "a", false},
		"one of both operators":     {`"StringEquals": {"gitlab.example.com:aud": "https://b"}, "StringLike": {"gitlab.example.com:sub": "b*"}`, "a", false},
	} {
		policy, err := trust.Parse(document(statement("Allow", `"`+assume+`"`, test.condition)))
		kit.Must(t, err)
		if got := policy.Allows(asks(test.sub)); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

// TestStatements judges statements together, their principals and actions.
func TestStatements(t *testing.T) {
	t.Parallel()
	all := statement("Allow", `"`+assume+`"`, "")
	other := strings.Replace(all, "gitlab.example.com", "gitlab.com", 1)
	tags := trust.Request{Provider: provider, Actions: []string{assume, "sts:TagSession"}}
	for name, test := range map[string]struct {
		document string
		request  trust.Request
		want     bool
	}{
		"allowed":                {document(all), asks("a"), true},
		"another provider":       {document(other), asks("a"), false},
		"one of two":             {document(other, all), asks("a"), true},
		"denied":                 {document(all, statement("Deny", `"sts:*"`, "")), asks("a"), false},
		"another is denied":      {document(all, statement("Deny", `"sts:*"`, `"StringEquals": {"gitlab.example.com:sub": "b"}`)), asks("a"), true},
		"all actions":            {document(statement("Allow", `"sts:*"`, "")), asks("a"), true},
		"another action":         {document(statement("Allow", `"sts:AssumeRole"`, "")), asks("a"), false},
		"tags without the right": {document(all), tags, false},
		"tags":                   {document(statement("Allow", `["`+assume+`", "sts:TagSession"]`, "")), tags, true},
		"nothing is asked for":   {document(all), trust.Request{Provider: provider}, false},
	} {
		policy, err := trust.Parse(test.document)
		kit.Must(t, err)
		if got := policy.Allows(test.request); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if (trust.Policy{}).Allows(asks("a")) {
		t.Error("no policy allows something")
	}
}

// TestUnknownWords: what the judge does not know is an error.
func TestUnknownWords(t *testing.T) {
	t.Parallel()
	all := statement("Allow", `"`+assume+`"`, "")
	for text, want := range map[string]string{
		"{}": "needs the version", document(): "a statement",
		strings.Replace(document(all), "2012-10-17", "2008-10-17", 1):                     "needs the version",
		document(strings.Replace(all, "Allow", "allow", 1)):                               "needs an effect",
		document(strings.Replace(all, "Federated", "AWS", 1)):                             "a federated principal",
		document(strings.Replace(all, `"Principal": {`, `"Principal": {"AWS": "*", `, 1)): "and nothing else",
		document(strings.Replace(all, `"Action"`, `"NotAction"`, 1)):                      "NotAction",
		document(statement("Allow", `[]`, "")):                                            "an action",
		document(statement("Allow", `"a"`, `"StringNotLike": {"a":""}`)):                  `the operator "StringNotLike" is not known`,
		document(statement("Allow", `1`, "")):                                             "cannot unmarshal",
	} {
		if _, err := trust.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q: %s", err, want, text)
		}
	}
}
