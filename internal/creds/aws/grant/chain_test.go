package grant_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
)

// own is the role of a tenant.
const own = "role_arn = \"arn:aws:iam::111122223333:role/d\"\n"

// manyTags are 51 tags.
func manyTags() string {
	var tags []string
	for i := range 51 {
		tags = append(tags, strings.Repeat("x", i+1)+" = \"v\"")
	}
	return strings.Join(tags, ", ")
}

// TestDeliveryRefused: what a policy file says of endpoints, sources and chains that AWS does
// not take, or that has no effect.
func TestDeliveryRefused(t *testing.T) {
	t.Parallel()
	const source = "[[tenant.source]]\nname = \"s\"\nprovider = \"aws\"\nrole_arn = \"arn:aws:iam::444455556666:role/s\"\n"
	hop := func(lines string) string {
		return own + source + "[[tenant.source.chain]]\nrole_arn = \"arn:aws:iam::777788889999:role/t\"\n" + lines + "\n"
	}
	const of, at = `tenant "a": source "s": `, `tenant "a": source "s": chain 1: `
	for name, test := range map[string]struct{ text, want string }{
		"a third delivery":       {own + "delivery = \"file\"\n", `delivery: "file": want "env" or "endpoint"`},
		"renew, and nobody does": {own + "renew_before = \"10m\"\n", `renew_before: without delivery = "endpoint", and without a source of the provider aws, it has no effect`},
		"renew as a number":      {own + "renew_before = \"600\"\n" + source, `renew_before: "600": want a duration of "1m" or more`},
		"renew at the end":       {own + "delivery = \"endpoint\"\nrenew_before = \"59s\"\n", `renew_before: "59s": want a duration of "1m" or more`},
		"renew over the life":    {own + "delivery = \"endpoint\"\nduration = \"30m\"\nrenew_before = \"30m\"\n", `tenant "a": renew_before: 30m0s is not shorter than the sessions, which last at most 30m0s`},
		"renew over any life":    {own + "delivery = \"endpoint\"\nrenew_before = \"12h\"\n", `renew_before: 12h0m0s is not shorter than the sessions, which last at most 12h0m0s`},
		"renew over a chain's":   {hop("") + "END renew_before = \"1h\"\n", of + `renew_before: 1h0m0s is not shorter than the sessions, which last at most 1h0m0s`},
		"renew, inherited":       {own + "renew_before = \"30m\"\n" + source + "duration = \"15m\"\n", of + `renew_before: 30m0s is not shorter than the sessions`},
		"no profile":             {own + source + "profile = false\n", of + `profile: without delivery = "endpoint" of the tenant no script could use the source`},
		"another account":        {own + "allowed_accounts = [\"111122223333\"]\n" + source, of + `role_arn: its account "444455556666" is not among allowed_accounts`},
		"another account's hop":  {strings.Replace(hop(""), own, own+"allowed_accounts = [\"111122223333\", \"444455556666\"]\n", 1), at + `role_arn: its account "777788889999" is not among allowed_accounts`},
		"policies of the first":  {hop("") + "END policy_arns = [\"arn:aws:iam::444455556666:policy/x\"]\n", of + `policy_arns: "arn:aws:iam::444455556666:policy/x" belongs neither to the role's account`},
		"four roles more":        {hop("") + strings.Repeat("[[tenant.source.chain]]\nrole_arn = \"arn:aws:iam::777788889999:role/t\"\n", 3), of + "chain 4: a chain has at most 3 roles after the first"},
		"no role of the hop":     {strings.Replace(hop(""), "role_arn = \"arn:aws:iam::777788889999:role/t\"", "external_id = \"xx\"", 1), at + "role_arn is missing"},
		"another partition":      {strings.Replace(hop(""), "arn:aws:iam::777788889999", "arn:aws-cn:iam::777788889999", 1), at + "role_arn: it is of another partition"},
		"an id of one":           {hop(`external_id = "x"`), at + "external_id: it has 1 characters, and AWS takes 2 to 1224"},
		"an id of too many":      {hop(`external_id = "` + strings.Repeat("x", 1225) + `"`), at + "external_id: it has 1225 characters"},
		"an id with a space":     {hop(`external_id = "a b"`), at + `external_id: AWS does not take the character " " in it`},
		"an empty id":            {hop(`external_id = ""`), at + "external_id: it has 0 characters"},
		"a tag too long":         {hop(`tags = { a = "` + strings.Repeat("ä", 257) + `" }`), at + `tags: "a": it has 257 characters, and AWS takes 0 to 256`},
		"a key too long":         {hop(`tags = { ` + strings.Repeat("k", 129) + ` = "x" }`), "it has 129 characters, and AWS takes 1 to 128"},
		"a key of AWS":           {hop(`tags = { "AWS:x" = "x" }`), at + `tags: "AWS:x": keys that begin with aws: are AWS's own`},
		"no key":                 {hop(`tags = { "" = "x" }`), at + "tags: \"\": it has 0 characters, and AWS takes 1 to 128"},
		"a tag with a hash":      {hop(`tags = { a = "x#y" }`), at + `tags: "a": AWS does not take the character "#" in it`},
		"a tag with a tab":       {hop(`tags = { a = "x\ty" }`), at + `tags: "a": AWS does not take the character "\t" in it`},
		"keys by case":           {hop(`tags = { Team = "x", team = "y" }`), at + `tags: "team" differs from another key by its case alone`},
		"51 tags":                {hop(`tags = { ` + manyTags() + ` }`), at + "tags: there are 51, and AWS takes at most 50"},
		"an unknown claim":       {hop(`tags = { a = "claim:email" }`), at + `tags: "a": "email" is no claim that can be used; those are deployment_tier, environment, `},
		"no claim":               {hop(`source_identity = "claim:"`), at + `source_identity: "" is no claim that can be used`},
		"transitive, and no tag": {hop("tags = { a = \"x\" }\ntransitive = [\"b\"]"), at + `transitive: "b" is not among tags`},
		"an identity of one":     {hop(`source_identity = "x"`), at + "source_identity: it has 1 characters, and AWS takes 2 to 64"},
		"an identity of 65":      {hop(`source_identity = "` + strings.Repeat("x", 65) + `"`), at + "source_identity: it has 65 characters"},
		"an identity with a /":   {hop(`source_identity = "a/b"`), at + `source_identity: AWS does not take the character "/" in it`},
		"an identity twice": {
			hop("source_identity = \"jane\"\n[[tenant.source.chain]]\nrole_arn = \"arn:aws:iam::777788889999:role/u\"\nsource_identity = \"joe\""),
			of + "chain 2: source_identity: a role before it in the chain sets it, and it stays the same",
		},
		"a transitive tag again": {
			hop("tags = { a = \"x\", b = \"y\" }\ntransitive = [\"a\"]\n[[tenant.source.chain]]\nrole_arn = \"arn:aws:iam::777788889999:role/u\"\ntags = { A = \"z\", b = \"w\" }"),
			of + `chain 2: tags: "A" is transitive in a role before it in the chain, and cannot be set again`,
		},
	} {
		text, source, moved := strings.Cut(test.text, "END ")
		if moved { // the source has this line
			text = strings.Replace(text, "[[tenant.source.chain]]", source+"[[tenant.source.chain]]", 1)
		}
		policy, err := compile(top + "[[tenant]]\nname = \"a\"\n" + text)
		if policy != nil || err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q alone", name, err, test.want)
		}
	}
}

// chained are settings of a source with all kinds of values.
func chained() grant.Settings {
	return grant.Settings{Role: parsed(), Duration: 2 * time.Hour, Renew: 20 * time.Minute, Chain: []grant.Hop{{
		Role: aws.Role{Partition: "aws", Account: "777788889999", Path: "t"}, ExternalID: "x1", SourceIdentity: grant.Value{Claim: "user_login"},
		Tags: []grant.Tag{{Key: "env", Value: grant.Value{Claim: "environment"}}, {Key: "team", Value: grant.Value{Text: "b"}, Transitive: true}},
	}}}
}

// claimed is the asker of the source audit for a job with those claims.
func claimed(s grant.Settings, c idtoken.Claims) admission.Asker {
	a := asker(s, nil, nil)
	a.Source, a.Claims, a.CredentialProgram = "audit", c, "/usr/libexec/rolecall/credential"
	return a
}

// TestOrderOfSource: the order of a source has the claims of the job, and what tools must
// find.
func TestOrderOfSource(t *testing.T) {
	t.Parallel()
	got, err := grant.AWS{}.Order(claimed(chained(), idtoken.Claims{Environment: "prod/eu", UserLogin: "jane.d"}))
	want := creds.Order{
		Provider: "aws", Session: "GitLabRunner-42-9-7", Lifetime: 2 * time.Hour, Limit: time.Hour, Served: true, Renew: 20 * time.Minute,
		Terms: aws.Terms{Role: parsed(), Chain: []aws.Hop{{
			Role: aws.Role{Partition: "aws", Account: "777788889999", Path: "t"}, ExternalID: "x1", SourceIdentity: "jane.d",
			Tags: []aws.Tag{{Key: "env", Value: "prod/eu"}, {Key: "team", Value: "b", Transitive: true}},
		}}}.Encode(),
		Facts: creds.Facts{{Name: "role_arn", Value: "arn:aws:iam::777788889999:role/t"}, {Name: "region", Value: ""}},
		Tools: []creds.ToolText{{File: ".aws/config", Text: "[profile audit]\ncredential_process = /usr/libexec/rolecall/credential audit\n"}},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, the order differs:\n%s", err, diff)
	}
	s := grant.Settings{Role: parsed(), Region: "eu-west-3", Renew: time.Minute}
	a := claimed(s, idtoken.Claims{})
	a.Request = map[string]string{"AWS_REGION": "us-east-1"}
	got, err = grant.AWS{}.Order(a)
	if text := "[profile audit]\ncredential_process = /usr/libexec/rolecall/credential audit\nregion = eu-west-3\n"; err != nil || got.Tools[0].Text != text || got.Facts.Get("region") != "eu-west-3" {
		t.Errorf("%+v, %v, want the profile %q", got, err, text)
	}
	if s.NoProfile = true; len(order(t, claimed(s, idtoken.Claims{})).Tools) != 0 {
		t.Error("a source without a profile has one")
	}
}

// order returns an order that must be right.
func order(t *testing.T, a admission.Asker) creds.Order {
	t.Helper()
	got, err := grant.AWS{}.Order(a)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestOrderDelivery: what an endpoint gives is renewed, and the terms say so.
func TestOrderDelivery(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[bool]time.Duration{false: 0, true: time.Minute} {
		got := order(t, asker(grant.Settings{Role: parsed(), Endpoint: endpoint, Renew: time.Minute}, nil, nil))
		terms, err := aws.ParseTerms(got.Terms)
		if err != nil || terms.Endpoint != endpoint || got.Served != endpoint || got.Renew != want || got.Tools != nil {
			t.Errorf("endpoint %v: %+v, %v", endpoint, got, err)
		}
	}
}

// TestClaimsRefused: a claim that the job does not have, or that AWS does not take, refuses
// the job by name, and is never cut or left out.
func TestClaimsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		claims idtoken.Claims
		want   string
	}{
		"none":         {idtoken.Claims{UserLogin: "jane"}, `the tag "env" of role t is the claim environment of the ID token, which this job's token does not have`},
		"too long":     {idtoken.Claims{UserLogin: "jane", Environment: strings.Repeat("x", 257)}, `which is "` + strings.Repeat("x", 80) + `"…: it has 257 characters, and AWS takes 0 to 256`},
		"a hash":       {idtoken.Claims{UserLogin: "jane", Environment: "a#b"}, `which is "a#b": AWS does not take the character "#" in it`},
		"a line":       {idtoken.Claims{UserLogin: "jane", Environment: "a\nb"}, `which is "a\nb": AWS does not take the character "\n"`},
		"no user":      {idtoken.Claims{Environment: "prod"}, "the source identity of role t is the claim user_login of the ID token, which this job's token does not have"},
		"a short user": {idtoken.Claims{Environment: "prod", UserLogin: "j"}, `which is "j": it has 1 characters, and AWS takes 2 to 64`},
	} {
		got, err := grant.AWS{}.Order(claimed(chained(), test.claims))
		if err == nil || fault.CodeOf(err) != fault.Refused || !strings.HasPrefix(err.Error(), `tenant "alpha" refuses this job: rule chain; `) || len(fault.Rows(err)) != 1 {
			t.Fatalf("%s: %v", name, err)
		}
		if row := fault.Rows(err)[0]; row.Label != "rule" || !strings.Contains(row.Text, test.want) || !cmp.Equal(got, creds.Order{}) {
			t.Errorf("%s: row %+v, want %q", name, row, test.want)
		}
	}
}

// TestOddProgram: a path that tools would not read alike is the admin's error.
func TestOddProgram(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/opt/my programs/credential", "/opt/it's/credential", `/opt/"x"/credential`, "/opt/$x/credential", "credential", "/opt/x;id/credential", "/opt/ä/credential", "/x\n[default]"} {
		a := claimed(grant.Settings{Role: parsed()}, idtoken.Claims{})
		a.CredentialProgram = path
		if got, err := (grant.AWS{}).Order(a); err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), "tools of AWS cannot start ") {
			t.Errorf("%s: %+v, %v", path, got, err)
		}
	}
}
