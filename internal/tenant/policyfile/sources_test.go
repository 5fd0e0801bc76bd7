package policyfile_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/azure"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/creds/static"
	ofvault "rolecall/internal/creds/vault"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

// audit is a source, of 4 lines.
const audit = "[[tenant.source]]\nname = \"audit\"\nprovider = \"aws\"\nrole_arn = \"arn:aws:iam::444455556666:role/reader\"\n"

// hop is a role of a chain of the source before it, of 2 lines.
const hop = "[[tenant.source.chain]]\nrole_arn = \"arn:aws:iam::777788889999:role/target\"\n"

// TestSources: a tenant gives its own credentials and those of its sources, which inherit what
// it says, and no source of another tenant.
func TestSources(t *testing.T) {
	t.Parallel()
	text := strings.Replace(minimal, "[gitlab]", "shared_user = \"unsafe\"\n[defaults]\nregion = \"eu-west-1\"\nduration = \"2h\"\nrenew_before = \"20m\"\n[gitlab]", 1) +
		"delivery = \"endpoint\"\npolicy_arns = [\"arn:aws:iam::aws:policy/A\"]\n" +
		"[[tenant.chain]]\nrole_arn = \"arn:aws:iam::111122223333:role/b\"\n" +
		audit + hop + "external_id = \"x1\"\ntags = { project = \"claim:project_path\", team = \"a b\" }\ntransitive = [\"team\"]\nsource_identity = \"claim:user_login\"\n" +
		"[gate]\nmax_files = 7\n" + strings.Replace(audit, "audit", "own", 1) + "region = \"us-east-1\"\nduration = \"1h\"\nrenew_before = \"10m\"\nprofile = false\npolicy_arns = []\nsession_policy_file = \"/p\"\n" +
		"[[tenant]]\nname = \"beta\"\nrole_arn = \"arn:aws:iam::111122223333:role/a\"\naudience = \"aud\"\nprojects = [\"acme/x\"]\n" + audit
	role := func(account, path string) aws.Role { return aws.Role{Partition: "aws", Account: account, Path: path} }
	base := grant.Settings{Region: "eu-west-1", Duration: 2 * time.Hour, Renew: 20 * time.Minute}
	own := base
	own.Role, own.Endpoint, own.PolicyARNs, own.Chain = role("111122223333", "a"), true, []string{"arn:aws:iam::aws:policy/A"}, []grant.Hop{{Role: role("111122223333", "b")}}
	reader := own
	reader.Role, reader.Chain = role("444455556666", "reader"), []grant.Hop{{
		Role: role("777788889999", "target"), ExternalID: "x1", SourceIdentity: grant.Value{Claim: "user_login"},
		Tags: []grant.Tag{{Key: "project", Value: grant.Value{Claim: "project_path"}}, {Key: "team", Value: grant.Value{Text: "a b"}, Transitive: true}},
	}}
	second := grant.Settings{
		Role: role("444455556666", "reader"), Region: "us-east-1", Duration: time.Hour, Renew: 10 * time.Minute, Endpoint: true, NoProfile: true, SessionPolicyFile: "/p", PolicyARNs: []string{},
	}
	beta, plain := base, base
	beta.Role, plain.Role = role("111122223333", "a"), role("444455556666", "reader")
	got := compile(t, text).Tenants()
	for i, want := range [][]tenant.Gift{
		{{Provider: "aws", Settings: own}, {Provider: "aws", Name: "audit", Settings: reader}, {Provider: "aws", Name: "own", Settings: second}},
		{{Provider: "aws", Settings: beta}, {Provider: "aws", Name: "audit", Settings: plain}},
	} {
		if diff := cmp.Diff(want, got[i].Gifts); diff != "" {
			t.Errorf("tenant %s gives another thing:\n%s", got[i].Name, diff)
		}
	}
}

// TestSourcesAlone: a tenant may have sources and no role of its own.
func TestSourcesAlone(t *testing.T) {
	t.Parallel()
	text := strings.Replace(minimal, "role_arn = \"arn:aws:iam::111122223333:role/a\"\n", "", 1) + audit
	if gifts := compile(t, text).Tenants()[0].Gifts; len(gifts) != 1 || gifts[0].Name != "audit" {
		t.Errorf("%+v", gifts)
	}
}

// TestSourceToken: a source may have an ID token of its own.
func TestSourceToken(t *testing.T) {
	t.Parallel()
	gifts := compile(t, minimal+audit+"id_token = \"VAULT_ID_TOKEN\"\naudience = \"https://vault\"\n").Tenants()[0].Gifts
	if len(gifts) != 2 || gifts[0].IDToken != "" || gifts[1].IDToken != "VAULT_ID_TOKEN" || gifts[1].Audience != "https://vault" {
		t.Errorf("%+v", gifts)
	}
}

// TestSourcesRefused adds to a right policy of 7 lines. Each error has the line that it is
// about.
func TestSourcesRefused(t *testing.T) {
	t.Parallel()
	const of = `tenant "alpha": source "audit": `
	many := ""
	for i := range 11 {
		many += strings.Replace(audit, "audit", fmt.Sprintf("s%d", i), 1)
	}
	for name, test := range map[string]struct{ more, want string }{
		"one bracket":             {"[tenant.source]\n", "8: a source begins with [[tenant.source]], in two brackets"},
		"one bracket of a chain":  {audit + "[tenant.source.chain]\n", "12: a chain begins with [[tenant.source.chain]], in two brackets"},
		"a chain of no source":    {hop, "8: [[tenant.source.chain]] comes after the [[tenant.source]] that it is a part of"},
		"a chain of another's":    {audit + "[[tenant]]\nname = \"b\"\n" + hop, "14: [[tenant.source.chain]] comes after the [[tenant.source]]"},
		"in one line":             {"source = [{ name = \"x\" }]\n", "8: source is a list of tables: begin each with a line of its own, [[tenant.source]]"},
		"a chain in one line":     {audit + "chain = [{ role_arn = \"x\" }]\n", "12: chain is a list of tables: begin each with a line of its own, [[tenant.source.chain]]"},
		"a chain as a text":       {audit + "chain = \"x\"\n", "12: chain is a list of tables"},
		"dotted in quotes":        {"[[\"tenant.source\"]]\nname = \"x\"\n", `8: unknown table`},
		"unknown within":          {audit + "[[tenant.source.read]]\n", `12: unknown table "tenant.source.read"`},
		"tags as a table":         {audit + hop + "[tenant.source.chain.tags]\na = \"b\"\n", `14: unknown table "tenant.source.chain.tags"`},
		"of all tenants":          {"[[defaults.source]]\n", `8: unknown table "defaults.source"`},
		"no name":                 {"[[tenant.source]]\nprovider = \"aws\"\n", `8: tenant "alpha": source 1: it needs a name and a provider`},
		"no provider":             {"[[tenant.source]]\nname = \"audit\"\n", "8: " + of + "it needs a name and a provider"},
		"another provider":        {strings.Replace(audit, `"aws"`, `"vault"`, 1), "10: " + of + `provider: "vault": want one of aws`},
		"two of a name":           {audit + audit, "13: " + of + "name: the tenant has another source of that name"},
		"default":                 {strings.Replace(audit, "audit", "default", 1), `9: tenant "alpha": source "default": name: the tenant's own credentials have that name`},
		"upper case":              {strings.Replace(audit, "audit", "Audit", 1), `9: tenant "alpha": source "Audit": name: want 1 to 32 of a-z, 0-9 and -`},
		"a flag":                  {strings.Replace(audit, "audit", "-x", 1), `9: tenant "alpha": source "-x": name: want 1 to 32`},
		"33 letters":              {strings.Replace(audit, "audit", strings.Repeat("x", 33), 1), "9: tenant "},
		"no letters":              {strings.Replace(audit, "audit", "", 1), `9: tenant "alpha": source "": name: want 1 to 32`},
		"a path":                  {strings.Replace(audit, "audit", "../x", 1), `9: tenant "alpha": source "../x": name: want 1 to 32`},
		"eleven":                  {many, `48: tenant "alpha": source "s10": a tenant has at most 10 sources`},
		"too few requests":        {"max_requests_per_minute = 1\n" + audit, `8: tenant "alpha": max_requests_per_minute: each job of the tenant asks for 2 credentials`},
		"unknown key":             {audit + "delivery = \"env\"\n", `12: unknown key "delivery" in [[tenant.source]]`},
		"key in capitals":         {audit + "Region = \"eu-west-1\"\n", `12: unknown key "Region" in [[tenant.source]]`},
		"dotted key":              {audit + "tags.a = \"b\"\n", `8: unknown key "tags" in [[tenant.source]]`},
		"a number for a text":     {audit + "region = 1\n", "12: " + of + "region: want a text in quotes"},
		"a text for a truth":      {audit + "profile = \"false\"\n", "12: " + of + "profile: want true or false"},
		"a text for a list":       {audit + "policy_arns = \"x\"\n", "12: " + of + "policy_arns: want a list of texts"},
		"no role":                 {strings.Join(strings.SplitAfter(audit, "\n")[:3], ""), "8: " + of + "role_arn is missing; a source does not inherit it"},
		"no role, of the second":  {audit + "[[tenant.source]]\nname = \"two\"\nprovider = \"aws\"\n", `12: tenant "alpha": source "two": role_arn is missing`},
		"a token, no audience":    {audit + "id_token = \"VAULT_ID_TOKEN\"\n", "8: " + of + "id_token and audience go together"},
		"an audience, no token":   {audit + "audience = \"https://vault\"\n", "8: " + of + "id_token and audience go together"},
		"a token's name":          {audit + "audience = \"https://vault\"\nid_token = \"1-X\"\n", "13: " + of + "id_token: "},
		"unknown key of a hop":    {audit + hop + "region = \"x\"\n", `14: unknown key "region" in [[tenant.source.chain]]`},
		"tags as a list":          {audit + hop + "tags = [\"a\"]\n", "14: " + of + "chain 1: tags: want a table of texts in one line"},
		"a number as a tag":       {audit + hop + "tags = { a = 1 }\n", "14: " + of + "chain 1: tags: want a table of texts"},
		"a hop without a role":    {audit + "[[tenant.source.chain]]\n", "12: " + of + "chain 1: role_arn is missing"},
		"the tenant's own chain":  {"[[tenant.chain]]\nx = 1\n", `9: unknown key "x" in [[tenant.chain]]`},
		"a second tenant's chain": {audit + hop + "[[tenant]]\nname = \"b\"\n" + audit + hop + "x = 1\n", `22: unknown key "x" in [[tenant.source.chain]]`},
	} {
		got := refused(t, minimal+test.more)
		found := false
		for _, line := range got {
			found = found || strings.HasPrefix(line, "/etc/p.toml:"+test.want)
		}
		if !found {
			t.Errorf("%s:\n got %q\nwant %q", name, got, test.want)
		}
	}
}

// TestExampleSources: the sources that the example shows in comments compile.
func TestExampleSources(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../rolecall.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^# {3}(\[\[|[a-z_]+ = )|^# (renew_before = |max_requests_per_minute = )`)
	content := strings.Replace(shown.ReplaceAllString(string(text), "$1$2"), `delivery = "env"`, `delivery = "endpoint"`, 1)
	policy, err := policyfile.Compile("/p", []byte(content), grant.AWS{}, static.Provider{}, external.Exec{}, gcp.Provider{}, azure.Provider{}, ofvault.Provider{})
	kit.Must(t, err)
	alpha := policy.Tenants()[0]
	named := map[string]tenant.Gift{}
	for _, gift := range alpha.Gifts {
		named[gift.Name] = gift
	}
	values, _ := named["config"].Settings.(static.Settings)
	if names, always := values.Sets(); always || len(names) != 2 {
		t.Errorf("%v, %v", names, always)
	}
	google, _ := named["google"].Settings.(gcp.Settings)
	if google.Account == "" || google.TokenAudience() != named["google"].Audience {
		t.Errorf("%+v, for tokens for %s", google, named["google"].Audience)
	}
	if ms, _ := named["azure"].Settings.(azure.Settings); ms.Client == "" || named["azure"].Audience != "api://AzureADTokenExchange" {
		t.Errorf("%+v, for tokens for %s", ms, named["azure"].Audience)
	}
	if read, _ := named["vault"].Settings.(ofvault.Settings); len(read.Reads) != 1 || len(read.Reads[0].All()) != 3 {
		t.Errorf("%+v", read)
	}
	given := grant.All(alpha.Gifts)
	if len(given) != 3 || given[1].Name != "audit" || !given[1].NoProfile || len(given[2].Chain) != 1 || given[2].Renew != 10*time.Minute || alpha.MaxRequests != 60 {
		t.Errorf("%+v, of %d requests", given, alpha.MaxRequests)
	}
}
